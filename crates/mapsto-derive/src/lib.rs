//! Derives mapsto's Module: a struct visits its fields by name.
