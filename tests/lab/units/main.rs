//! What this program sees of the user's units: a JSON line for each name on standard input. Run in
//! the lab, as alice.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test runs it and sees why it fails"
)]

use std::io::stdin;

use rootless6::host::systemd::{Address, Systemd};
use rootless6::inspect;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a session bus");
    let systemd = Systemd::connect(&[Address::Bus(bus)]).await;
    let systemd = systemd.expect("the user's systemd");
    for name in stdin().lines() {
        let name = name.expect("the name of a unit");
        let unit = inspect::unit(&systemd, &name).await.expect("an answer");
        let unit = unit.is().expect("a unit of that name");
        println!("{}", serde_json::to_string(unit).expect("a unit as JSON"));
    }
}
