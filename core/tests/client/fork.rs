//! A client and a lane made before a fork work in the child, with connections of their own.

use manyhands::{Code, Put};

use crate::support::Server;
use crate::support::fork::{forked, succeeded};

#[test]
fn children_of_a_busy_parent_get_connections_of_their_own() {
    let server = Server::start();
    let client = server.client();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..200 {
                    client.queue("q").put(Put::new("parent")).unwrap();
                }
            });
        }
        let children: Vec<_> = (0..20)
            .map(|_| {
                let client = client.clone();
                forked(std::panic::AssertUnwindSafe(move || {
                    for _ in 0..10 {
                        client.queue("q").put(Put::new("child")).unwrap();
                    }
                    drop(client);
                }))
            })
            .collect();
        for child in children {
            assert!(succeeded(child));
        }
    });
    assert_eq!(client.queue("q").counts().unwrap().waiting, 3 * 200 + 20 * 10);
}

#[test]
fn a_lane_in_a_child_has_another_connection_and_name() {
    let server = Server::start();
    let client = server.client();
    let name = client.worker_name();
    let mut lane = client.lane();
    let id = lane.client_id().unwrap();
    let child = {
        let (client, lane, name) = (client.clone(), std::panic::AssertUnwindSafe(&mut lane), name.clone());
        forked(std::panic::AssertUnwindSafe(move || {
            let lane = lane;
            assert_ne!(lane.0.client_id().unwrap(), id);
            assert_ne!(client.worker_name(), name);
        }))
    };
    assert!(succeeded(child));
    assert_eq!(lane.client_id().unwrap(), id);
    assert_eq!(client.worker_name(), name);
}

#[test]
fn a_closed_client_stays_closed_in_a_child() {
    let server = Server::start();
    let client = server.client();
    client.queue("q").put(Put::new("parent")).unwrap();
    client.close();
    let child = forked(std::panic::AssertUnwindSafe(move || {
        assert_eq!(client.queue("q").put(Put::new("child")).unwrap_err().code, Code::Closed);
    }));
    assert!(succeeded(child));
    assert_eq!(server.client().queue("q").counts().unwrap().waiting, 1);
}
