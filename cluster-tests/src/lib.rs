//! Cluster tests of Nuthatch.
