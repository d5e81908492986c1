//! Ports that are published on loopback alone: what a switch to pasta does to them is said before.

use serde_json::Value;

use crate::harness::Lab;

const WEB: &str = "web on 127.0.0.1:18080";

/// One HTTP exchange, tried until somebody answers; a connection that is reset is no answer, and no
/// reason to die of it (SIGPIPE).
const ASK: &str = r#"
    trap "" PIPE
    for try in 1 2 3 4 5; do
        exec 3<>/dev/tcp/127.0.0.1/18080 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 &&
            read -r -t 5 line <&3 && echo $line && break
        sleep 1
    done 2>/dev/null
    test -n "$line""#;

fn loopback(document: &Value) -> Vec<&str> {
    let notes = document["notes"].as_array().unwrap().iter();
    let notes = notes.map(|note| note.as_str().unwrap());
    notes.filter(|note| note.contains("loopback")).collect()
}

#[test]
fn a_switch_that_costs_a_port_on_loopback_names_it_before_and_slirp4netns_keeps_it() {
    let Some(lab) = Lab::up("forky") else { return };
    lab.alice(
        "docker run -d --name web --restart always -p 127.0.0.1:18080:80 busybox \
            httpd -f -p 80 -h /",
    )
    .exits(0);
    lab.alice(ASK).exits(0).says(&["HTTP"]);

    lab.alice("rootless6 setup --dry-run").exits(0).says(&[
        WEB,
        "`rootless6 setup --net slirp4netns` keeps that working",
    ]);
    let kept = "rootless6 setup --yes --accept containers-restart --net slirp4netns --json";
    let kept = lab.alice(kept).exits(0).json();
    assert_eq!(loopback(&kept), [] as [&str; 0]);
    lab.alice(ASK).exits(0).says(&["HTTP"]);
    lab.ping_from("bridge").exits(0);

    lab.alice("rootless6 undo --yes").exits(0);
    lab.alice(ASK).exits(0).says(&["HTTP"]);
    let lost = lab.alice("rootless6 setup --yes --accept containers-restart --json");
    let lost = lost.exits(0).json();
    assert_eq!(loopback(&lost).len(), 1);
    assert!(loopback(&lost)[0].contains(WEB));
    lab.ping_from("bridge").exits(0);
    let reset = lab.alice(ASK);
    assert_ne!(reset.status, 0);
    lab.alice("rootless6 doctor loopback-publish-broken")
        .exits(0)
        .says(&["127.0.0.1:18080", "rootless6 setup --net slirp4netns"]);

    // What runs like that already is old news.
    let again = lab.alice("rootless6 setup --yes --accept containers-restart --mtu 1500 --json");
    assert_eq!(loopback(&again.exits(0).json()), [] as [&str; 0]);
}
