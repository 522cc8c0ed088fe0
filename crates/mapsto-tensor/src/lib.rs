//! The tensor of mapsto: values, views, operations and their derivatives.
