//! Redis's glob patterns.
