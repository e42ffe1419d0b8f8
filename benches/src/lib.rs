//! Benches of Nuthatch.
