//! The command line from outside: transcripts of what it prints and the codes it exits with.

mod advice;
mod check_cli;
mod class_names;
mod curves;
mod examples;
mod failures;
mod held_out;
mod help;
mod images;
mod judged;
mod kills;
mod lr_find;
mod meaning;
mod mistakes;
mod outputs;
mod over;
mod predicted;
mod preflight;
mod report;
mod resume;
mod runs;
mod scaffold;
mod silent;
mod version_1;
mod watching;
