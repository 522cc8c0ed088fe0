//! The trainer of mapsto: metrics, callbacks, run folders, model files and plots.
