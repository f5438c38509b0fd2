//! Who was a member at one moment: one list, shared by all messages that were sent to just those.

use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;

use crate::slab::SocketId;

/// Sockets, each once.
#[derive(Debug)]
pub(crate) struct Members {
    listed: Vec<SocketId>,
    /// The same ones, to be found. Made when one is looked for: a list is made under locks.
    sorted: OnceLock<Box<[SocketId]>>,
}

impl Members {
    pub(crate) fn new(listed: Vec<SocketId>) -> Self {
        Self { listed, sorted: OnceLock::new() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = SocketId> {
        self.listed.iter().copied()
    }

    fn len(&self) -> usize {
        self.listed.len()
    }

    /// O(log n), but for the first time.
    fn contains(&self, socket: SocketId) -> bool {
        let sort = || {
            let mut sorted = self.listed.clone().into_boxed_slice();
            sorted.sort_unstable();
            debug_assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]), "each is listed once");
            sorted
        };
        self.sorted.get_or_init(sort).binary_search(&socket).is_ok()
    }
}

/// Who is to answer a message.
#[derive(Debug)]
pub(crate) enum Asked {
    One(SocketId),
    Several {
        members: Arc<Members>,
        /// Who is left out by identity, sorted; may name some that are no members.
        left_out: SmallVec<[SocketId; 2]>,
        len: usize,
    },
}

impl Asked {
    /// Those of the members that are not left out. O(left out · log members).
    pub(crate) fn several(members: Arc<Members>, mut left_out: SmallVec<[SocketId; 2]>) -> Self {
        left_out.sort_unstable();
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
                members.contains(socket) && left_out.binary_search(&socket).is_err()
            }
        }
    }

    /// In the order in which they are to be listed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = SocketId> {
        let (one, several) = match self {
            Self::One(one) => (Some(*one), None),
            Self::Several { members, left_out, .. } => (None, Some((members, left_out))),
        };
        let several = several.into_iter().flat_map(|(members, left_out)| {
            members.iter().filter(|socket| left_out.binary_search(socket).is_err())
        });
        one.into_iter().chain(several)
    }
}

#[cfg(test)]
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
    fn they_are_in_the_order_of_the_list_without_those_left_out() {
        let members = Arc::new(Members::new(sockets(&[7, 3, 5])));
        // One that is no member is left out for nothing.
        let asked = Asked::several(members, sockets(&[9, 3]).into());
        assert_eq!((asked.len(), asked.iter().collect::<Vec<_>>()), (2, sockets(&[7, 5])));
        let are: Vec<_> = sockets(&[3, 5, 7, 9]).into_iter().map(|socket| asked.contains(socket)).collect();
        assert_eq!(are, [false, true, true, false]);
    }
}
