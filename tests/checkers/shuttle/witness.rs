//! What the threads of a scenario know, and what follows from it.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use roomcast::{Delivery, DisconnectReason, EmitError, Emitted, Inbox, Namespace, Socket};

/// A message: who publishes it, and how many it has published before.
pub(crate) type Number = [u8; 2];

/// When something began and ended, in the one order in which a run under shuttle takes its steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    begun: u64,
    ended: u64,
}

impl Span {
    /// Does something, and notes when.
    pub(crate) fn of<R>(work: impl FnOnce() -> R) -> (R, Self) {
        // `std`'s, so that taking the time is no step of its own.
        static NOW: AtomicU64 = AtomicU64::new(0);
        let now = || NOW.fetch_add(1, Ordering::Relaxed);
        let begun = now();
        let result = work();
        (result, Self { begun, ended: now() })
    }

    pub(crate) fn is_before(&self, other: &Self) -> bool {
        self.ended < other.begun
    }
}

/// A message that was published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Post {
    pub(crate) number: Number,
    pub(crate) when: Span,
    pub(crate) sequence: Option<u64>,
}

impl Post {
    pub(crate) fn new(
        number: Number,
        emit: impl FnOnce(Number) -> Result<Emitted, EmitError>,
    ) -> Result<Self, EmitError> {
        let (emitted, when) = Span::of(|| emit(number));
        emitted.map(|emitted| Self { number, when, sequence: emitted.sequence() })
    }
}

/// Publishes so many messages.
pub(crate) fn publish(
    publisher: u8,
    count: u8,
    emit: impl Fn(Number) -> Result<Emitted, EmitError>,
) -> Vec<Post> {
    (0..count).map(|n| Post::new([publisher, n], &emit).unwrap()).collect()
}

/// A time as a member of something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stay {
    pub(crate) joined: Span,
    pub(crate) left: Option<Span>,
}

/// Whether a message was published while somebody was a member, if that is certain.
pub(crate) fn is_within(post: &Post, stays: &[Stay]) -> Option<bool> {
    let is_after = |begun: &Span| begun.is_before(&post.when);
    let surely =
        |stay: &Stay| is_after(&stay.joined) && stay.left.is_none_or(|left| post.when.is_before(&left));
    let hardly = |stay: &Stay| post.when.is_before(&stay.joined) || stay.left.as_ref().is_some_and(is_after);
    match () {
        () if stays.iter().any(surely) => Some(true),
        () if stays.iter().all(hardly) => Some(false),
        () => None,
    }
}

/// A socket, and what it has read.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) socket: Socket,
    pub(crate) inbox: Inbox,
    read: Read,
}

/// What came out of an inbox.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) got: Vec<Number>,
    sequences: Vec<u64>,
    pub(crate) missed: u64,
    /// How many gaps gave an upper bound only.
    pub(crate) inexact: usize,
}

impl Read {
    fn take(&mut self, delivery: &Delivery<'_>) {
        match delivery.gap() {
            Some(gap) => {
                self.missed += gap.missed;
                self.inexact += usize::from(!gap.exact);
            }
            None => {
                self.got.push(delivery.payload().as_bytes().unwrap().try_into().unwrap());
                self.sequences.push(delivery.sequence());
            }
        }
    }
}

impl Deref for Member {
    type Target = Read;

    fn deref(&self) -> &Read {
        &self.read
    }
}

impl Member {
    pub(crate) fn new((socket, inbox): (Socket, Inbox)) -> Self {
        Self { socket, inbox, read: Read::default() }
    }

    pub(crate) fn of(world: &Namespace, rooms: &[&str]) -> Self {
        let member = Self::new(world.connect());
        member.socket.join(rooms).unwrap();
        member
    }

    /// Reads what there is, and returns how many messages that were.
    pub(crate) fn drain(&mut self) -> usize {
        let Self { inbox, read, .. } = self;
        let before = read.got.len();
        inbox.drain(|delivery| read.take(&delivery));
        read.got.len() - before
    }

    /// Reads one message in some way, and returns whether there was one.
    pub(crate) fn read_with(&mut self, next: impl FnOnce(&mut Inbox) -> Option<Delivery<'_>>) -> bool {
        next(&mut self.inbox).map(|delivery| self.read.take(&delivery)).is_some()
    }

    /// As [`drain`](Self::drain), several times: for a thread that reads while others publish.
    pub(crate) fn drain_often(mut self, times: usize) -> Self {
        (0..times).for_each(|_| _ = self.drain());
        self
    }

    /// Reads what is left when all others are done: from now on there is nothing.
    pub(crate) fn finish(mut self) -> Self {
        self.drain();
        assert_eq!(self.drain(), 0, "a drain has left something behind");
        self
    }

    pub(crate) fn has(&self, post: &Post) -> bool {
        self.got.contains(&post.number)
    }

    pub(crate) fn closed(&self) -> Option<DisconnectReason> {
        self.inbox.closed().cloned()
    }

    /// What it has of these messages is in the order in which they were published, each at most once, and under
    /// the numbers that their publishers were told.
    pub(crate) fn check_order(&self, posts: &[Post]) {
        let post = |number: &Number| posts.iter().find(|post| post.number == *number).expect("published");
        let got: Vec<&Post> = self.got.iter().map(post).collect();
        for (at, later) in got.iter().enumerate() {
            assert_eq!(later.sequence, Some(self.sequences[at]));
            for earlier in &got[..at] {
                assert!(earlier.number != later.number, "{:?} came twice", later.number);
                assert!(
                    !later.when.is_before(&earlier.when),
                    "{:?} came before {:?}, which was published before",
                    earlier.number,
                    later.number
                );
            }
        }
    }

    /// It has all of these messages, and no others, in order.
    pub(crate) fn check_all(&self, posts: &[Post]) {
        self.check_order(posts);
        assert_eq!((self.got.len(), self.missed), (posts.len(), 0), "{:?} of {posts:?}", self.got);
    }

    /// It has what was published while it was a member, and nothing else.
    pub(crate) fn check_stays<'a>(&self, posts: impl IntoIterator<Item = &'a Post>, stays: &[Stay]) {
        for post in posts {
            if let Some(is_for) = is_within(post, stays) {
                assert_eq!(self.has(post), is_for, "{post:?}, {stays:?}, {:?}", self.got);
            }
        }
    }

    /// Who published what it has, in the order in which it came.
    pub(crate) fn publishers(&self) -> Vec<u8> {
        self.got.iter().map(|[publisher, _]| *publisher).collect()
    }
}
