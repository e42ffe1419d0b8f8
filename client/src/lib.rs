//! The client of Nuthatch.
