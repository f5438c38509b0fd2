use super::*;

fn room() -> Arc<Topic> {
    Arc::new(Topic::new(1, Kind::Everyone, &Backlog::new()))
}

/// A socket that is a member of one room, and whose reader sleeps.
struct Sleeper {
    post: Arc<Post>,
    since: u64,
}

impl Sleeper {
    fn new(room: &Arc<Topic>, order: &Order, number: u64) -> Self {
        let post = Arc::new(Post::new(SocketId::from_bits(1 << 32 | number).unwrap(), 0));
        let since = Topic::join(room, order, &post, &Pile::ANY, &mut Trash::default());
        let mut cursor = room.inner.lock().log.end();
        assert!(room.arm(&post, since, &mut cursor));
        Self { post, since }
    }

    fn leave(&self, room: &Topic, order: &Order) {
        room.leave(order, &self.post, self.since, &Pile::ANY, &mut Trash::default());
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        abandon(&self.post);
    }
}

/// Nobody looks into it any more: it holds rooms, and they hold it.
fn abandon(post: &Post) {
    post.abandon().0.into_iter().flat_map(|changes| changes.list).for_each(Change::release);
}

fn publish(room: &Topic, order: &Order) {
    let entry = Entry::All { event: 0, payload: ().into(), sender: None };
    assert!(room.publish(entry, order, &mut Victims::new(), Hold::none()).is_some());
}

#[test]
fn who_has_left_a_quiet_room_is_not_remembered_as_asleep_in_it() {
    for stay in [0, 1, 10] {
        let (room, order) = (room(), Order::new());
        let staying: Vec<_> = (0..stay).map(|number| Sleeper::new(&room, &order, number)).collect();
        for number in 0..1000 {
            let sleeper = Sleeper::new(&room, &order, 100 + number);
            sleeper.leave(&room, &order);
            let asleep = room.inner.lock().armed.len();
            assert!(asleep <= 2 * staying.len() + 2, "{asleep} of {stay}");
        }
        assert!(staying.iter().all(|sleeper| room.inner.lock().members.contains(sleeper.since)));
    }
}

#[test]
fn sleepers_that_were_woken_do_not_keep_those_that_left_later() {
    let (room, order) = (room(), Order::new());
    let staying = [0, 1, 2, 3].map(|number| Sleeper::new(&room, &order, number));
    staying[..2].iter().for_each(|sleeper| sleeper.leave(&room, &order));
    publish(&room, &order); // wakes all, after some have left
    for number in 0..1000 {
        Sleeper::new(&room, &order, 100 + number).leave(&room, &order);
        assert!(room.inner.lock().armed.len() <= 2);
    }
}

#[test]
fn a_place_that_is_claimed_is_nobody_elses() {
    let (room, order) = (room(), Order::new());
    room.set_capacity(2);
    let join = |number: u64, is_claimed: bool| {
        let post = Arc::new(Post::new(SocketId::from_bits(1 << 32 | number).unwrap(), 0));
        let trash = &mut Trash::default();
        let has_joined = Topic::join_if_free(&room, &order, &post, &Pile::ANY, trash, is_claimed).is_some();
        abandon(&post);
        has_joined
    };
    assert!(join(1, false));
    assert!(room.claim());
    assert_eq!((room.claim(), join(2, false)), (false, false));
    assert!(join(3, true));
    assert_eq!((room.claim(), join(4, false), room.len()), (false, false, 2));
}

#[test]
fn rooms_print_which_they_are() {
    assert_eq!(format!("{:?}", room()), "Topic { id: 1, kind: Everyone, .. }");
}

#[test]
fn who_is_asked_is_listed_once_for_as_long_as_the_members_are_the_same() {
    let (room, order) = (room(), Order::new());
    let list = || room.inner.lock().list();
    let [ann, bob] = [1, 2].map(|number| Sleeper::new(&room, &order, number));
    let ids = |sleepers: &[&Sleeper]| sleepers.iter().map(|it| it.post.id()).collect::<Vec<_>>();
    let first = list();
    assert_eq!(first.iter().collect::<Vec<_>>(), ids(&[&ann, &bob]));
    publish(&room, &order);
    assert!(std::sync::Arc::ptr_eq(&first, &list()));
    let cat = Sleeper::new(&room, &order, 3);
    assert_eq!(list().iter().collect::<Vec<_>>(), ids(&[&ann, &bob, &cat]));
    ann.leave(&room, &order);
    assert_eq!(list().iter().collect::<Vec<_>>(), ids(&[&bob, &cat]));
    assert_eq!(first.iter().collect::<Vec<_>>(), ids(&[&ann, &bob]));
}
