//! Telling the group of this run of the process, and where it is reached, until the group knows.
//!
//! A node may serve nothing before its process is registered: the registration is what tells the group that it came
//! back empty. It is repeated until it is applied, however long the group has no leader. A node that the group has
//! forgotten meanwhile learns it here, and begins anew, alone.

use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use nuthatch_cluster::topology::{Address, GroupId, Rejected, TopologyChange};
use tokio::time::sleep;

use super::propose::ProposeError;
use super::shared::{Event, Shared, View};

/// How long to wait after a registration that was not answered.
const PAUSE: Duration = Duration::from_millis(200);

/// Registers whenever the group does not know this process, for as long as the process lives.
pub(crate) async fn register(shared: Arc<Shared>) {
    let mut views = shared.subscribe();
    loop {
        let unknown = |view: &Arc<View>| !view.joining && !view.is_registered();
        let Ok(view) = views.wait_for(unknown).await.map(|view| Arc::clone(&view)) else { return };
        let group = view.topology.group();
        let Some(address) = address(&shared, &view) else {
            begin_anew(&shared, group).await;
            continue;
        };
        let (node, storage, process) = (view.me, view.storage, view.process);
        let change = TopologyChange::Register { node, storage, process, address };
        match shared.propose(vec![change]).await {
            Ok(_) | Err(ProposeError::OtherGroup) => {}
            Err(ProposeError::Rejected(text)) if text == Rejected::UnknownNode(node).to_string() => {
                begin_anew(&shared, group).await;
            }
            Err(error) => {
                tracing::warn!("this node is not registered with its cluster yet: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

/// The address to register with: configured, or the one the group knows if this machine still has it, or the one towards
/// the leader. `None`: the group does not know the node at all.
fn address(shared: &Shared, view: &View) -> Option<Address> {
    let known = &view.topology.node(view.me)?.address.host;
    let leader = || view.other_leader().and_then(|leader| leader.address.host.parse().ok());
    let found = || if is_local(known) { known.clone() } else { shared.own_address(leader()).host };
    Some(shared.announce.address(found))
}

/// Begins anew when the group can do without the node, unless it has left that group by now (a reset does the same).
async fn begin_anew(shared: &Shared, group: GroupId) {
    let left = shared.view().topology.applied();
    if let Err(error) = shared.await_dismissal(group, left).await {
        tracing::warn!("the cluster has forgotten this node, but not replaced it yet: {error}");
        return;
    }
    let _turn = shared.membership.lock().await;
    if shared.view().topology.group() == group {
        tracing::warn!("the cluster has forgotten this node: it begins anew, alone");
        // An error means that the node is stopping.
        let _ = shared.ask(|done| Event::Reset(false, done)).await;
    }
}

/// Whether this machine still has that address. A name is taken to be right.
fn is_local(host: &str) -> bool {
    host.parse::<IpAddr>().map_or(true, |ip| UdpSocket::bind((ip, 0)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_addresses_of_this_machine_are_local() {
        assert!(is_local("127.0.0.1"));
        assert!(is_local("some-name.example"));
        // Kept for documentation, so no machine has it.
        assert!(!is_local("192.0.2.77"));
    }
}
