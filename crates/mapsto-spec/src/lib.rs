//! Named entries with options, read from model and training files: the mechanism behind every registry of mapsto.
