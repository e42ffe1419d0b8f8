//! The data plane of Nuthatch.
