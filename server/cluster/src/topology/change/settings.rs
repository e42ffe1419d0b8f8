//! What is said about members and the cluster without touching slots: roles, health, settings.
//!
//! A role follows the metadata group's configuration and never the other way round; health is only spoken of the life
//! that was observed, so a late report says nothing of a node that has restarted since.

use nuthatch_proto::ids::{Incarnation, NodeId};

use super::super::node::{Node, NodeState, Role};
use super::super::{MAX_SETTINGS, Rejected, Topology};

/// The longest name of a setting.
const MAX_KEY: usize = 128;
/// The longest value of a setting.
const MAX_VALUE: usize = 4096;

impl Topology {
    pub(super) fn set_role(&mut self, id: NodeId, role: Role) -> Result<(), Rejected> {
        let others = self.nodes.values().any(|node| node.id != id && node.role == Role::Voter);
        let node = self.member(id)?;
        if node.role == Role::Voter && role != Role::Voter && !others {
            return Err(Rejected::LastVoter(id));
        }
        node.role = role;
        Ok(())
    }

    pub(super) fn set_state(
        &mut self,
        id: NodeId,
        incarnation: Incarnation,
        state: NodeState,
    ) -> Result<(), Rejected> {
        let node = self.member(id)?;
        if node.incarnation != incarnation {
            return Err(Rejected::OtherIncarnation(id));
        }
        node.state = state;
        Ok(())
    }

    pub(super) fn set_config(&mut self, key: &str, value: Option<&str>) -> Result<(), Rejected> {
        let Some(value) = value else {
            self.settings.remove(key);
            return Ok(());
        };
        if key.is_empty() || key.len() > MAX_KEY || value.len() > MAX_VALUE {
            return Err(Rejected::InvalidSetting);
        }
        if self.settings.len() >= MAX_SETTINGS && !self.settings.contains_key(key) {
            return Err(Rejected::TooManySettings(MAX_SETTINGS));
        }
        self.settings.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn member(&mut self, id: NodeId) -> Result<&mut Node, Rejected> {
        self.nodes.get_mut(&id).ok_or(Rejected::UnknownNode(id))
    }
}
