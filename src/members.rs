//! Who was a member at one moment: a list that is shared by all that were sent to just those.

use std::collections::HashSet;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::slab::SocketId;

/// Sockets, each once.
#[derive(Debug, Default)]
pub(crate) struct Members {
    listed: Vec<SocketId>,
    /// The same ones, to be found.
    sorted: Box<[SocketId]>,
}

impl Members {
    /// Those of a list, in its order. O(n log n).
    pub(crate) fn new(mut listed: Vec<SocketId>) -> Self {
        let mut sorted = listed.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() < listed.len() {
            let mut seen = HashSet::new();
            listed.retain(|id| seen.insert(*id));
        }
        Self { listed, sorted: sorted.into() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = SocketId> {
        self.listed.iter().copied()
    }

    fn len(&self) -> usize {
        self.listed.len()
    }

    /// O(log n).
    fn contains(&self, socket: SocketId) -> bool {
        self.sorted.binary_search(&socket).is_ok()
    }
}

/// Who is to answer a message.
#[derive(Debug)]
pub(crate) enum Asked {
    One(SocketId),
    Several {
        members: Arc<Members>,
        /// Who is left out by identity, each once; may name some that are no members.
        left_out: SmallVec<[SocketId; 2]>,
        len: usize,
    },
}

impl Asked {
    /// Those of the members that are not left out. O(left out · log members).
    pub(crate) fn several(members: Arc<Members>, left_out: SmallVec<[SocketId; 2]>) -> Self {
        let missing = left_out.iter().filter(|socket| members.contains(**socket)).count();
        Self::Several { len: members.len() - missing, members, left_out }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Several { len, .. } => *len,
        }
    }

    pub(crate) fn contains(&self, socket: SocketId) -> bool {
        match self {
            Self::One(one) => *one == socket,
            Self::Several { members, left_out, .. } => {
                members.contains(socket) && !left_out.contains(&socket)
            }
        }
    }

    /// In the order in which they are to be listed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = SocketId> {
        let (one, several) = match self {
            Self::One(one) => (Some(*one), None),
            Self::Several { members, left_out, .. } => (None, Some((members, left_out))),
        };
        let several = several
            .into_iter()
            .flat_map(|(members, left_out)| members.iter().filter(|socket| !left_out.contains(socket)));
        one.into_iter().chain(several)
    }
}

impl From<Vec<SocketId>> for Asked {
    fn from(sockets: Vec<SocketId>) -> Self {
        Self::several(Arc::new(Members::new(sockets)), SmallVec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(numbers: &[u64]) -> Vec<SocketId> {
        numbers.iter().map(|number| SocketId::from_bits(1 << 32 | number).unwrap()).collect()
    }

    #[test]
    fn each_is_in_it_once_in_the_order_of_the_list() {
        let members = Arc::new(Members::new(sockets(&[7, 3, 7, 5, 3])));
        assert_eq!(members.iter().collect::<Vec<_>>(), sockets(&[7, 3, 5]));
        // One that is no member is left out for nothing.
        let asked = Asked::several(members, sockets(&[3, 9]).into());
        assert_eq!((asked.len(), asked.iter().collect::<Vec<_>>()), (2, sockets(&[7, 5])));
        let are: Vec<_> = sockets(&[3, 5, 7, 9]).into_iter().map(|socket| asked.contains(socket)).collect();
        assert_eq!(are, [false, true, true, false]);
    }
}
