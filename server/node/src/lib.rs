//! The shell of Nuthatch.
