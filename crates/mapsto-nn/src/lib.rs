//! Layers, losses, initialisers, optimizers and schedules of mapsto.
