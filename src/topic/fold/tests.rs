use std::cell::RefCell;

use super::*;
use crate::clock::Clock;
use crate::config::Backlog;
use crate::history::{History, Past};
use crate::mailbox::Ready;
use crate::order::Order;
use crate::payload::Payload;
use crate::tape::Hold;
use crate::topic::{Before, Kind, Post, Topic, Victims};

/// A socket that does not drain, in a namespace of rooms.
struct Stalled {
    order: Order,
    clock: Clock,
    post: Arc<Post>,
    pile: Pile,
    /// Of those who are in its rooms too.
    others: RefCell<Vec<Arc<Post>>>,
}

impl Drop for Stalled {
    /// Mailboxes hold rooms, and they hold mailboxes.
    fn drop(&mut self) {
        for post in self.others.get_mut().iter().chain([&self.post]) {
            post.abandon().0.into_iter().flat_map(|changes| changes.list).for_each(Change::release);
        }
    }
}

impl Stalled {
    fn new(changes: usize, unread: Position) -> Self {
        let (order, clock) = (Order::new(), Clock::new());
        let others = RefCell::default();
        Self { order, clock, post: post(1), pile: Pile { changes, unread }, others }
    }

    /// In whose mailbox so many changes may pile up, whatever they hold.
    fn long(changes: usize) -> Self {
        Self::new(changes, Pile::ANY.unread)
    }

    /// Whose changes may hold so much, however many they are.
    fn heavy(messages: u64, bytes: u64) -> Self {
        Self::new(Pile::ANY.changes, Position { messages, bytes })
    }

    /// With somebody in it who does not read either.
    fn busy_room(&self, id: u64) -> Arc<Topic> {
        let (room, other) = (room(id), post(2));
        Topic::join(&room, &self.order, &other, &Pile::ANY, &mut Trash::default());
        self.others.borrow_mut().push(other);
        room
    }

    fn room_with_history(&self, id: u64, messages: usize) -> Arc<Topic> {
        let (room, history) = (room(id), History::new().messages(messages).unwrap());
        room.set_history(Some(history), &self.order, self.clock.shared_now());
        room
    }

    fn join(&self, room: &Arc<Topic>) -> u64 {
        Topic::join(room, &self.order, &self.post, &self.pile, &mut Trash::default())
    }

    fn join_with_past(&self, room: &Arc<Topic>) -> u64 {
        let (trash, past) = (&mut Trash::default(), (false, Past::all()));
        Topic::join_with(room, &self.order, &self.post, &self.pile, trash, past).unwrap().0
    }

    fn leave(&self, room: &Topic, since: u64) {
        room.leave(&self.order, &self.post, since, &self.pile, &mut Trash::default());
    }

    /// Publishes a message of so many bytes.
    fn publish(&self, room: &Topic, bytes: usize) {
        self.publish_entry(room, Entry::All { event: 0, payload: payload(bytes), sender: None });
    }

    /// Publishes a message that is not for this socket.
    fn publish_own(&self, room: &Topic) {
        let sender = self.post.id();
        self.publish_entry(room, Entry::NotSender { event: 0, payload: payload(1), sender });
    }

    fn publish_entry(&self, room: &Topic, entry: Entry) {
        assert!(room.publish(entry, &self.order, &mut Victims::new(), Hold::none()).is_some());
    }

    /// Is in the room for as long as it takes to publish messages of these bytes.
    fn pass_through(&self, room: &Arc<Topic>, bytes: &[usize]) {
        let since = self.join(room);
        bytes.iter().for_each(|bytes| self.publish(room, *bytes));
        self.leave(room, since);
    }

    /// What is in its mailbox, which is empty then.
    fn changes(&self) -> Vec<String> {
        let changes = self.post.take(&mut Ready::new());
        let list = changes.map_or(ChangeList::new(), |changes| changes.list);
        let word = |change: &Change| match change {
            Change::Joined { .. } => "joined".to_owned(),
            Change::Left { .. } => "left".to_owned(),
            Change::Past(_) => "past".to_owned(),
            Change::Folded { lost, exact, .. } => format!("folded, {lost} lost, exact: {exact}"),
            Change::Cut { .. } | Change::Closed { .. } => "closed".to_owned(),
        };
        list.iter().map(word).collect()
    }
}

fn room(id: u64) -> Arc<Topic> {
    Arc::new(Topic::new(id, Kind::Everyone, &Backlog::new()))
}

fn post(number: u64) -> Arc<Post> {
    Arc::new(Post::new(SocketId::from_bits(1 << 32 | number).unwrap(), 0))
}

fn payload(bytes: usize) -> Payload {
    Payload::from(vec![0_u8; bytes])
}

#[test]
fn a_room_that_is_left_before_anything_happens_was_never_joined() {
    let socket = Stalled::long(usize::MAX);
    let (one, other) = (room(1), socket.busy_room(2));
    let since = socket.join(&one);
    socket.leave(&one, since);
    assert_eq!(socket.changes(), [""; 0]);

    let since = socket.join(&one);
    socket.publish(&other, 1);
    socket.leave(&one, since);
    assert_eq!(socket.changes(), ["joined", "left"], "something may have been for it");

    let (since, elsewhere) = (socket.join(&one), socket.join(&other));
    socket.leave(&one, since);
    assert_eq!(socket.changes(), ["joined", "joined", "left"]);
    socket.leave(&other, elsewhere);
}

#[test]
fn changes_fold_once_they_hold_more_than_they_may() {
    let cases: [(&[usize], bool); 4] = [(&[5, 5], false), (&[1, 1, 1], true), (&[11], true), (&[10], false)];
    for (bytes, is_folded) in cases {
        let socket = Stalled::heavy(2, 10);
        socket.pass_through(&room(1), bytes);
        let changes = socket.changes();
        if is_folded {
            assert_eq!(changes, [format!("folded, {} lost, exact: true", bytes.len())]);
        } else {
            assert_eq!(changes, ["joined", "left"], "{bytes:?}");
        }
    }
}

#[test]
fn the_past_that_was_asked_for_is_held_as_what_came_since() {
    for (limit, is_folded) in [((3, 3), false), ((2, 3), true), ((3, 2), true)] {
        let socket = Stalled::heavy(limit.0, limit.1);
        let room = socket.room_with_history(1, 2);
        (0..5).for_each(|_| socket.publish(&room, 1));
        let since = socket.join_with_past(&room);
        socket.publish(&room, 1);
        socket.leave(&room, since);
        let changes = socket.changes();
        if is_folded {
            assert_eq!(changes, ["folded, 3 lost, exact: false"], "{limit:?}");
        } else {
            assert_eq!(changes, ["past", "joined", "left"], "{limit:?}");
        }
    }
}

#[test]
fn changes_fold_at_each_multiple_of_the_limit_whatever_the_last_one_is() {
    let socket = Stalled::long(4);
    let room = socket.room_with_history(1, 9);
    socket.publish(&room, 1);
    let since = socket.join_with_past(&room);
    socket.publish(&room, 1);
    socket.leave(&room, since);
    // The fourth is the past of two messages, and folded with the others.
    let since = socket.join_with_past(&room);
    assert_eq!(socket.changes(), ["folded, 4 lost, exact: false", "joined"]);
    socket.leave(&room, since);
}

#[test]
fn rooms_let_go_of_what_is_folded_away() {
    let socket = Stalled::long(4);
    let rooms = [room(1), room(2)];
    for room in &rooms {
        socket.pass_through(room, &[1]);
    }
    assert_eq!(socket.changes(), ["folded, 2 lost, exact: true"]);
    assert_eq!(rooms.map(|room| room.retained()), [0, 0]);
}

#[test]
fn what_is_not_for_the_socket_does_not_count_as_lost() {
    let socket = Stalled::long(2);
    let room = socket.busy_room(1);
    (0..5).for_each(|_| socket.publish(&room, 1));
    let since = socket.join(&room);
    socket.publish(&room, 1);
    socket.publish(&room, 1);
    socket.publish_own(&room);
    socket.leave(&room, since);
    assert_eq!(socket.changes(), ["folded, 2 lost, exact: true"]);
}

#[test]
fn what_comes_after_the_leave_counts_for_nothing() {
    let socket = Stalled::long(4);
    let [one, other] = [1, 2].map(|id| socket.busy_room(id));
    let since = socket.join(&one);
    socket.publish(&other, 1);
    socket.leave(&one, since);
    socket.publish_own(&one);
    socket.pass_through(&other, &[1]);
    assert_eq!(socket.changes(), ["folded, 1 lost, exact: true"]);
}

#[test]
fn the_past_of_another_room_is_not_counted_with_a_join() {
    let [one, other] = [1, 2].map(room);
    let unread = Position { messages: 7, bytes: 70 };
    let past = |room: &Arc<Topic>| {
        let (room, cursor) = (Arc::clone(room), room.inner.lock().log.end());
        Change::Past(Box::new(Before { at: 1, room, cursor, unread, end: 0, is_keyed: false }))
    };
    let joined = || {
        let (room, cursor) = (Arc::clone(&one), one.inner.lock().log.end());
        Change::Joined { since: 2, room, cursor, at: Position::default() }
    };
    let at = Position { messages: 3, bytes: 30 };
    assert_eq!(unread_at(&[past(&other), joined()], 2, at), at);
    assert_eq!(unread_at(&[past(&one), joined()], 2, at), Position { messages: 10, bytes: 100 });
}
