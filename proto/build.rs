//! Compiles `cluster.proto` with protox, so that a fresh machine needs no system protoc.
//!
//! Without the feature `rpc` there is nothing to generate, and the compilers are not even dependencies: the client
//! crate stays light.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "rpc")]
    {
        println!("cargo::rerun-if-changed=cluster.proto");
        let descriptors = protox::compile(["cluster.proto"], ["."])?;
        tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    }
    Ok(())
}
