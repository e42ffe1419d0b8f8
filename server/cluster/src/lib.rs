//! The control plane of Nuthatch.
