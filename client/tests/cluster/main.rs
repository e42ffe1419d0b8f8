//! The client against servers that answer by script: routing, redirections, failures and what is said of their effect.
//!
//! `bar` is in slot 5061 and `foo` in slot 12182: of two nodes the first owns `bar`, the second `foo`.

mod stub;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nuthatch_client::{Builder, Client, Effect, Error, ErrorKind, Frame};
use stub::{Reply, Stubs};
use tokio::sync::Notify;

const FOO_SLOT: u16 = 12182;

/// A client that no load of the testing machine makes impatient.
fn patient(seeds: &[&str]) -> Builder {
    Client::builder(seeds).deadline(Duration::from_secs(60)).connect_timeout(Duration::from_secs(60))
}

async fn client(stubs: &Stubs) -> Client {
    patient(&[stubs.address(0)]).connect().await.expect("the first node answers")
}

/// A client that gives up while the test waits, but not for a slow testing machine.
async fn hasty_client(stubs: &Stubs) -> Client {
    let builder = Client::builder([stubs.address(0)]).deadline(Duration::from_secs(3));
    builder.connect().await.expect("the first node answers")
}

async fn get(client: &Client, key: &str) -> Result<String, Error> {
    let value = client.get(key).await?.expect("a value");
    Ok(String::from_utf8(value.to_vec()).expect("text"))
}

/// A rule for the first so many times that a command comes to a node; afterwards the stub's own reply.
fn times(
    count: usize,
    node: usize,
    command: &'static str,
    reply: impl Fn() -> Reply + Send + Sync,
) -> impl Fn(usize, &str) -> Option<Reply> + Send + Sync {
    let left = AtomicUsize::new(count);
    move |at, asked| {
        let meant = at == node && asked == command;
        let decrement = |left: usize| left.checked_sub(1);
        let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, decrement).is_ok();
        (meant && take()).then(&reply)
    }
}

fn error(text: &'static str) -> impl Fn() -> Reply + Send + Sync {
    move || Reply::Error(text.into())
}

#[tokio::test]
async fn keys_go_to_the_owners_of_their_slots() {
    let stubs = Stubs::start(2, |_, _| None).await;
    let client = client(&stubs).await;
    assert_eq!(get(&client, "bar").await.expect("served"), "0: GET bar");
    assert_eq!(get(&client, "foo").await.expect("served"), "1: GET foo");
    assert_eq!(get(&client, "{bar}foo").await.expect("served"), "0: GET {bar}foo");
    assert_eq!(client.nodes(), [stubs.address(0), stubs.address(1)]);
}

#[tokio::test]
async fn a_server_that_is_no_cluster_owns_everything() {
    let rule = |_, command: &str| match command {
        "CLUSTER SLOTS" => Some(Reply::Error("ERR This instance has cluster support disabled".into())),
        "MGET foo bar" => Some(Reply::Raw("*2\r\n$1\r\na\r\n_\r\n".into())),
        _ => None,
    };
    let stubs = Stubs::start(1, rule).await;
    let client = client(&stubs).await;
    assert_eq!(get(&client, "foo").await.expect("served"), "0: GET foo");
    let values = client.mget(&["foo", "bar"]).await.expect("one command for both slots");
    assert_eq!(values, [Some("a".into()), None]);
}

#[tokio::test]
async fn a_password_is_given_and_an_old_server_is_spoken_to_in_resp2() {
    let rule = |_, command: &str| match command {
        "HELLO 3 AUTH default secret" => Some(Reply::Error("ERR unknown command 'HELLO'".into())),
        "AUTH secret" => Some(Reply::Raw("+OK\r\n".into())),
        _ => None,
    };
    let stubs = Stubs::start(1, rule).await;
    let builder = patient(&[stubs.address(0)]).password("secret");
    let client = builder.connect().await.expect("accepted");
    assert_eq!(get(&client, "foo").await.expect("served"), "0: GET foo");
}

#[tokio::test]
async fn a_refused_password_is_told_at_once() {
    let rule = |_, command: &str| {
        let hello = command == "HELLO 3 AUTH ada wrong";
        hello.then(|| Reply::Error("WRONGPASS invalid username-password pair or user is disabled.".into()))
    };
    let stubs = Stubs::start(1, rule).await;
    let builder = patient(&[stubs.address(0)]).username("ada").password("wrong");
    let error = builder.connect().await.expect_err("refused");
    assert!(matches!(error.kind(), ErrorKind::Handshake(text) if text.starts_with("WRONGPASS")), "{error}");
    assert_eq!(error.effect(), Effect::NotSent);
}

#[tokio::test]
async fn moved_is_followed_and_remembered() {
    let stubs = Stubs::start(3, times(1, 1, "GET foo", || Reply::Moved(FOO_SLOT, 2))).await;
    stubs.assign(&[(0, 8191, 0), (8192, 16383, 1)]);
    let client = client(&stubs).await;
    stubs.assign(&[(0, 8191, 0), (8192, 16383, 2)]);
    assert_eq!(get(&client, "foo").await.expect("followed"), "2: GET foo");
    assert_eq!(get(&client, "foo").await.expect("remembered"), "2: GET foo");
    assert_eq!(stubs.asked(), ["1: GET foo", "2: GET foo", "2: GET foo"]);
}

#[tokio::test]
async fn moved_has_the_whole_map_asked_for() {
    let refreshed = Arc::new(Notify::new());
    let (notify, first) = (Arc::clone(&refreshed), times(1, 1, "GET foo", || Reply::Moved(FOO_SLOT, 2)));
    let stubs = Stubs::start(3, move |node, command| {
        if command == "CLUSTER SLOTS" {
            notify.notify_one();
        }
        first(node, command)
    })
    .await;
    stubs.assign(&[(0, 8191, 0), (8192, 16383, 1)]);
    let client = client(&stubs).await;
    refreshed.notified().await;
    stubs.assign(&[(0, 16383, 2)]);
    assert_eq!(get(&client, "foo").await.expect("followed"), "2: GET foo");
    refreshed.notified().await;
    // The map was asked for; it is in force once a key that was not moved is asked for at its new owner.
    while get(&client, "bar").await.expect("served") != "2: GET bar" {}
}

#[tokio::test]
async fn ask_is_for_once() {
    let stubs = Stubs::start(2, times(1, 1, "GET foo", || Reply::Ask(FOO_SLOT, 0))).await;
    let client = client(&stubs).await;
    assert_eq!(get(&client, "foo").await.expect("asked there"), "0: GET foo");
    assert_eq!(get(&client, "foo").await.expect("back again"), "1: GET foo");
    assert_eq!(stubs.asked(), ["1: GET foo", "0: ASKING", "0: GET foo", "1: GET foo"]);
}

#[tokio::test]
async fn redirections_in_a_circle_end() {
    let circle = |node, command: &str| (command == "GET foo").then_some(Reply::Moved(FOO_SLOT, 1 - node));
    let stubs = Stubs::start(2, circle).await;
    let client = client(&stubs).await;
    let error = client.get("foo").await.expect_err("no end");
    assert!(matches!(error.kind(), ErrorKind::TooManyRedirections(_)), "{error}");
    assert_eq!((error.effect(), stubs.asked().len()), (Effect::Rejected, 17));
}

#[tokio::test]
async fn what_passes_with_time_is_waited_for() {
    for text in [
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "CLUSTERDOWN The cluster is down",
        "CLUSTERDOWN Hash slot not served",
        "LOADING Redis is loading the dataset in memory",
    ] {
        let stubs = Stubs::start(2, times(3, 1, "SET foo 1", error(text))).await;
        let client = client(&stubs).await;
        let reply = client.command(&["SET", "foo", "1"]).await.expect("the fourth time");
        assert_eq!(reply, Frame::bulk("1: SET foo 1"));
        assert_eq!(stubs.asked().len(), 4, "{text}");
    }
}

#[tokio::test]
async fn other_errors_are_the_answer() {
    let text = "WRONGTYPE Operation against a key holding the wrong kind of value";
    let stubs = Stubs::start(2, times(9, 1, "GET foo", error(text))).await;
    let client = client(&stubs).await;
    let error = client.get("foo").await.expect_err("refused");
    assert_eq!(error.kind(), &ErrorKind::Server(text.into()));
    assert_eq!((error.effect(), error.node()), (Effect::Rejected, Some(stubs.address(1))));
    assert_eq!(error.slot().map(|slot| slot.number()), Some(FOO_SLOT));
    assert_eq!(stubs.asked(), ["1: GET foo"]);
}

#[tokio::test]
async fn what_may_have_run_is_not_repeated() {
    let stubs = Stubs::start(2, times(1, 1, "INCR foo", || Reply::Close)).await;
    let client = client(&stubs).await;
    let error = client.incr("foo").await.expect_err("no reply");
    assert_eq!(error.effect(), Effect::Unknown, "{error}");
    assert_eq!(stubs.asked(), ["1: INCR foo"]);
}

#[tokio::test]
async fn what_only_reads_is_repeated() {
    let stubs = Stubs::start(2, times(1, 1, "GET foo", || Reply::Close)).await;
    let client = client(&stubs).await;
    assert_eq!(get(&client, "foo").await.expect("the second time"), "1: GET foo");
    assert_eq!(stubs.asked(), ["1: GET foo", "1: GET foo"]);
}

#[tokio::test]
async fn a_dead_node_fails_only_its_own_callers() {
    let mut stubs = Stubs::start(2, |_, _| None).await;
    let client = hasty_client(&stubs).await;
    stubs.stop(1).await;
    let error = client.set("foo", "1").await.expect_err("dead");
    assert_eq!(error.effect(), Effect::NotSent, "{error}");
    assert_eq!(get(&client, "bar").await.expect("alive"), "0: GET bar");

    stubs.restart(1).await;
    assert_eq!(get(&client, "foo").await.expect("alive again"), "1: GET foo");
}

#[tokio::test]
async fn a_node_that_does_not_answer_holds_up_only_its_own_callers() {
    let stubs =
        Stubs::start(2, |node, command| (node == 1 && command == "INCR foo").then_some(Reply::Nothing)).await;
    let client = hasty_client(&stubs).await;
    let silent = tokio::spawn({
        let client = client.clone();
        async move { client.incr("foo").await }
    });
    assert_eq!(get(&client, "bar").await.expect("unaffected"), "0: GET bar");
    let error = silent.await.expect("no panic").expect_err("no reply");
    assert_eq!((error.kind(), error.effect()), (&ErrorKind::Deadline, Effect::Unknown));
}

#[tokio::test]
async fn a_pipeline_is_split_and_put_together_again() {
    let stubs = Stubs::start(2, times(1, 1, "GET foo", error("TRYAGAIN x"))).await;
    let client = client(&stubs).await;
    let mut pipeline = client.pipeline();
    pipeline.command(&["GET", "foo"]).command(&["GET", "bar"]).command(&["MULTI"]);
    pipeline.command(&["GET", "{foo}2"]).command(&["GET", "{bar}2"]);
    let results = pipeline.run().await.into_iter().map(|result| {
        result.map_or_else(|error| error.to_string(), |frame| frame.as_text().expect("text").to_owned())
    });
    let refused = "MULTI changes the connection, which others use as well";
    let expected = ["1: GET foo", "0: GET bar", refused, "1: GET {foo}2", "0: GET {bar}2"];
    assert_eq!(results.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn commands_with_many_keys_are_split_by_slot() {
    let rule = |_, command: &str| match command {
        "MGET foo {foo}2" => Some(Reply::Raw("*2\r\n$1\r\na\r\n$1\r\nb\r\n".into())),
        "MGET bar" => Some(Reply::Raw("*1\r\n_\r\n".into())),
        "DEL foo {foo}2" => Some(Reply::Raw(":2\r\n".into())),
        "DEL bar" => Some(Reply::Raw(":1\r\n".into())),
        "MSET foo 1" | "MSET bar 2" => Some(Reply::Raw("+OK\r\n".into())),
        _ => None,
    };
    let stubs = Stubs::start(2, rule).await;
    let client = client(&stubs).await;
    let keys = ["foo", "bar", "{foo}2"];
    assert_eq!(client.mget(&keys).await.expect("served"), [Some("a".into()), None, Some("b".into())]);
    assert_eq!(client.del(&keys).await.expect("served"), 3);
    client.mset(&[("foo", "1"), ("bar", "2")]).await.expect("served");
}

#[tokio::test]
async fn typed_replies_are_checked() {
    let rule = |_, command: &str| match command {
        "HGETALL foo" => Some(Reply::Raw("%1\r\n$1\r\nf\r\n$1\r\nv\r\n".into())),
        "HGETALL {foo}2" => Some(Reply::Raw("*2\r\n$1\r\nf\r\n$1\r\nv\r\n".into())),
        "SMEMBERS foo" => Some(Reply::Raw("~1\r\n$1\r\nm\r\n".into())),
        "PTTL foo" => Some(Reply::Raw(":1500\r\n".into())),
        "PTTL bar" => Some(Reply::Raw(":-2\r\n".into())),
        "SET foo 1 NX" => Some(Reply::Raw("_\r\n".into())),
        _ => None,
    };
    let stubs = Stubs::start(2, rule).await;
    let client = client(&stubs).await;
    let pair = [("f".into(), "v".into())];
    assert_eq!(client.hgetall("foo").await.expect("a map"), pair);
    assert_eq!(client.hgetall("{foo}2").await.expect("a flat array"), pair);
    assert_eq!(client.smembers("foo").await.expect("a set"), ["m"]);
    assert_eq!(client.ttl("foo").await.expect("a number"), Some(Duration::from_millis(1500)));
    assert_eq!(client.ttl("bar").await.expect("a number"), None);
    assert!(!client.set_if_absent("foo", "1").await.expect("null"));
    let error = client.incr("foo").await.expect_err("a string");
    assert_eq!(error.kind(), &ErrorKind::Unexpected { expected: "an integer" });
}

#[tokio::test]
async fn seeds_are_tried_until_one_answers() {
    let mut stubs = Stubs::start(2, |_, _| None).await;
    stubs.stop(0).await;
    let seeds = [stubs.address(0), stubs.address(1)];
    let client = patient(&seeds).connect().await.expect("the second seed answers");
    assert_eq!(get(&client, "foo").await.expect("served"), "1: GET foo");

    let error = patient(&seeds[..1]).connect().await.expect_err("dead");
    assert!(matches!(error.kind(), ErrorKind::NoCluster(_)), "{error}");
}

#[tokio::test]
async fn connections_end_with_the_last_clone() {
    let stubs = Stubs::start(1, |_, _| None).await;
    let client = client(&stubs).await;
    let clone = client.clone();
    drop(client);
    assert_eq!(get(&clone, "foo").await.expect("served"), "0: GET foo");
    drop(clone);
    stubs.connection_ended().await;
}
