//! Replays `scenarios/*.txt`: what administrators do to a cluster, and what it answers and shows.
//!
//! Each file starts without a cluster. Nodes are called n1 to n9; a node's ids are its digit forty times, its address is
//! 10.0.0.N:700N. The commands are documented where they are read, in `scenarios/world.rs`.

#[path = "scenarios/world.rs"]
mod world;

use std::path::Path;
use std::{fs, io};

use nuthatch_cluster_tests::transcript;

#[test]
fn every_transcript_holds() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut paths: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    assert!(!paths.is_empty(), "there are transcripts");
    let mut failures = Vec::new();
    for path in paths {
        let replayed = transcript::check_file(&path, &mut world::World::default())?;
        failures.extend(replayed.err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}
