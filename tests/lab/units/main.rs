//! What the user's systemd says of units, and what this program reads of them: a JSON line for each
//! name on standard input. Run in the lab, as alice.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test runs it and sees why it fails"
)]

use std::collections::HashMap;
use std::io::stdin;

use rootless6::facts::Seen;
use rootless6::host::systemd::{Address, Systemd};
use rootless6::inspect;
use serde_json::json;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, Variant};

/// `a(sasbttttuii)`: path, arguments, whether failure is ignored, then times and results.
type Commands = Vec<(String, Vec<String>, bool, u64, u64, u64, u64, u32, i32, i32)>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a session bus");
    let systemd = Systemd::connect(&[Address::Bus(address)])
        .await
        .expect("the user's systemd");
    let bus = Connection::session().await.expect("the session bus");
    for name in stdin().lines().map(|line| line.expect("names of units")) {
        let Ok(Seen::Is(unit)) = inspect::unit(&systemd, &name).await else {
            panic!("{name} is not there");
        };
        let service = service(&bus, &name).await.expect("an answer of systemd's");
        let commands: Commands = read(&service, "ExecStartPost");
        let line = json!({
            "unit": unit,
            "commands": commands.iter().map(|command| (&command.0, &command.1, command.2)).collect::<Vec<_>>(),
        });
        println!("{line}");
    }
}

async fn service(bus: &Connection, name: &str) -> zbus::Result<HashMap<String, OwnedVariant>> {
    const SYSTEMD: Option<&str> = Some("org.freedesktop.systemd1");
    let manager = Some("org.freedesktop.systemd1.Manager");
    let properties = Some("org.freedesktop.DBus.Properties");
    let unit: OwnedObjectPath = bus
        .call_method(
            SYSTEMD,
            "/org/freedesktop/systemd1",
            manager,
            "LoadUnit",
            &name,
        )
        .await?
        .body()
        .deserialize()?;
    let service = "org.freedesktop.systemd1.Service";
    bus.call_method(SYSTEMD, unit.as_str(), properties, "GetAll", &service)
        .await?
        .body()
        .deserialize()
}

fn read<T>(properties: &HashMap<String, OwnedVariant>, name: &str) -> T
where
    T: TryFrom<Variant<'static>> + Default,
{
    let value = properties
        .get(name)
        .and_then(|value| value.try_clone().ok());
    let value = value.map(Variant::<'static>::from);
    value
        .and_then(|value| T::try_from(value).ok())
        .unwrap_or_default()
}
