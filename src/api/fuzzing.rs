//! What fuzz targets feed the readers of requests with, and what they hold of them.

pub use super::guard::fuzzing::token;
