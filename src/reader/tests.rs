use super::*;
use crate::config::Backlog;
use crate::entry::Entry;
use crate::tape::Hold;
use crate::topic::{Change, Kind, Pile, Topic, Trash, Victims};

/// A socket is cut at one point of the order, and then taken out of its rooms one by one.
#[test]
fn what_comes_after_the_cut_is_not_read_however_often_it_is_looked_for_before_the_end() {
    let (order, events) = (Order::new(), EventTable::new(4, 16));
    let room = Arc::new(Topic::new(1, Kind::Everyone, &Backlog::new()));
    let post = Arc::new(Post::new(SocketId::from_bits(1 << 32).unwrap(), 0));
    let mut trash = Trash::default();
    Topic::join(&room, &order, &post, &Pile::ANY, &mut trash);
    let mut reader = Reader::new(Arc::clone(&post));
    let publish = || {
        let entry = Entry::All { event: 0, payload: ().into(), sender: None };
        assert!(room.publish(entry, &order, &mut Victims::new(), Hold::none()).is_some());
    };
    let mut read = || {
        let mut count = 0;
        let drained: ControlFlow<()> =
            reader.drain(&order, &events, false, &mut count, |_| ControlFlow::Continue(()));
        assert!(drained.is_continue());
        count
    };
    publish();
    assert_eq!(read(), 1);
    publish();
    let at = order.next();
    trash.tell(&order, &post, Change::Cut { at }, &Pile::ANY);
    publish();
    assert_eq!(read(), 1);
    for _ in 0..3 {
        publish();
        assert_eq!(read(), 0);
    }
}
