//! systemd's own socket: D-Bus from peer to peer, in front of a [`Manager`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::StreamExt;
use tokio::net::UnixListener;
use tokio::sync::watch;
use zbus::connection::Builder;
use zbus::message::{Header, Message, Type};
use zbus::{Connection, MessageStream, OwnedObjectPath, OwnedVariant, Variant};

use super::manager::{Manager, Timer, UNIT};

/// systemd writes its well-known name, which zbus does not take: rootless6 renames it as well.
const NAME: &str = ":rg.freedesktop.systemd1";

const ROOT: &str = "/org/freedesktop/systemd1";

const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// The manager, and who is connected to it.
#[derive(Debug)]
pub(crate) struct Bus {
    manager: Mutex<Manager>,
    connections: Mutex<Vec<Connection>>,
    /// Whether a restart may begin.
    open: watch::Sender<bool>,
}

impl Bus {
    pub(crate) fn new(manager: Manager) -> Arc<Self> {
        Arc::new(Self {
            manager: Mutex::new(manager),
            connections: Mutex::default(),
            open: watch::Sender::new(true),
        })
    }

    pub(crate) fn manager(&self) -> MutexGuard<'_, Manager> {
        self.manager.lock().unwrap()
    }

    /// Lets whoever restarts dockerd wait, or go on.
    pub(crate) fn lets_restart(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// Serves whoever connects, until it is dropped.
    pub(crate) async fn serve(self: Arc<Self>, listener: UnixListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let bus = Arc::clone(&self);
            // A client may be killed at any moment, in the middle of a word too.
            tokio::spawn(async move { bus.converse(stream.into_std().ok()?).await.ok() });
        }
    }

    async fn converse(&self, stream: std::os::unix::net::UnixStream) -> zbus::Result<()> {
        let connection = Builder::unix_stream(stream)
            .server(zbus::Guid::generate())
            .p2p()
            .build()
            .await?;
        let mut messages = MessageStream::from(&connection);
        self.connections.lock().unwrap().push(connection.clone());
        while let Some(message) = messages.next().await {
            let message = message?;
            if message.message_type() != Type::MethodCall {
                continue;
            }
            if message
                .header()
                .member()
                .is_some_and(|member| member == "RestartUnit")
            {
                let _ = self.open.subscribe().wait_for(|open| *open).await;
            }
            let (answer, jobs) = self.answer(&message)?;
            connection.send(&answer).await?;
            for job in jobs {
                self.tell(&job).await?;
            }
        }
        self.connections
            .lock()
            .unwrap()
            .retain(|known| !is_same(known, &connection));
        Ok(())
    }

    /// systemd tells all who have subscribed; that everybody has is near enough.
    async fn tell(&self, job: &Job) -> zbus::Result<()> {
        let body = (job.id, job.path()?, job.unit.as_str(), job.result);
        let signal = Message::signal(ROOT, MANAGER, "JobRemoved")
            .sender(NAME)
            .build(&body)?;
        let connections = self.connections.lock().unwrap().clone();
        for connection in connections {
            let _ = connection.send(&signal).await;
        }
        Ok(())
    }

    fn answer(&self, call: &Message) -> zbus::Result<(Message, Vec<Job>)> {
        let header = call.header();
        let member = header
            .member()
            .map(|member| member.to_string())
            .unwrap_or_default();
        let path = header
            .path()
            .map(|path| path.to_string())
            .unwrap_or_default();
        let body = call.body();
        let mut manager = self.manager();
        let first: String = body
            .deserialize::<(String, String)>()
            .map(|(first, _)| first)
            .or_else(|_| body.deserialize::<String>())
            .unwrap_or_default();
        manager
            .calls
            .push(format!("{member} {first}").trim_end().to_owned());
        let answer = Answer { header: &header };
        let mut jobs = Vec::new();
        let mut job = |manager: &Manager, unit: &str, result| {
            let job = Job {
                id: u32::try_from(manager.calls.len()).unwrap_or_default(),
                unit: unit.to_owned(),
                result,
            };
            let path = job.path();
            jobs.push(job);
            path
        };
        let message = match member.as_str() {
            "Subscribe" | "Unsubscribe" | "ResetFailedUnit" => answer.with(&()),
            "Reload" => {
                manager.reload();
                answer.with(&())
            }
            "LoadUnit" | "GetUnit" => answer.with(&object(&first)?),
            "RestartUnit" | "StartUnit" => {
                let up = manager.restart();
                answer.with(&job(&manager, UNIT, if up { "done" } else { "failed" })?)
            }
            "StopUnit" => {
                if first == UNIT {
                    manager.stop();
                } else if manager.timers.remove(&first).is_none() {
                    return Ok((answer.no_such_unit(&first)?, Vec::new()));
                }
                answer.with(&job(&manager, &first, "done")?)
            }
            "StartTransientUnit" => {
                let (name, timer) = transient(&body)?;
                if manager.timers.contains_key(&name) {
                    return Ok((answer.exists(&name)?, Vec::new()));
                }
                manager.timers.insert(name.clone(), timer);
                answer.with(&job(&manager, &name, "done")?)
            }
            "GetAll" => answer.with(&properties(&manager, &path, &first)),
            "Get" => {
                let (interface, name): (String, String) = body.deserialize()?;
                match properties(&manager, &path, &interface).remove(name.as_str()) {
                    Some(value) => answer.with(&value),
                    None => answer.error("org.freedesktop.DBus.Error.UnknownProperty", &name),
                }
            }
            _ => answer.error("org.freedesktop.DBus.Error.UnknownMethod", &member),
        }?;
        Ok((message, jobs))
    }
}

fn is_same(one: &Connection, other: &Connection) -> bool {
    one.server_guid() == other.server_guid()
}

struct Job {
    id: u32,
    unit: String,
    result: &'static str,
}

impl Job {
    fn path(&self) -> zbus::Result<OwnedObjectPath> {
        format!("{ROOT}/job/{}", self.id).try_into()
    }
}

struct Answer<'a> {
    header: &'a Header<'a>,
}

impl Answer<'_> {
    fn with<B>(&self, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        Message::method_return(self.header).sender(NAME).build(body)
    }

    fn error(&self, name: &str, text: &str) -> zbus::Result<Message> {
        Message::error(self.header, name).sender(NAME).build(&text)
    }

    fn no_such_unit(&self, unit: &str) -> zbus::Result<Message> {
        let text = format!("Unit {unit} not loaded.");
        self.error("org.freedesktop.systemd1.NoSuchUnit", &text)
    }

    fn exists(&self, unit: &str) -> zbus::Result<Message> {
        let text = format!("Unit {unit} was already loaded or has a fragment file.");
        self.error("org.freedesktop.systemd1.UnitExists", &text)
    }
}

type Properties = Vec<(String, OwnedVariant)>;

/// `StartTransientUnit` of a timer with its service beside it.
fn transient(body: &zbus::message::Body) -> zbus::Result<(String, Timer)> {
    let (name, _mode, own, beside): (String, String, Properties, Vec<(String, Properties)>) =
        body.deserialize()?;
    let properties: HashMap<String, OwnedVariant> = own
        .into_iter()
        .chain(beside.into_iter().flat_map(|(_, properties)| properties))
        .collect();
    let command = read::<Vec<(String, Vec<String>, bool)>>(&properties, "ExecStart");
    let command = command.and_then(|commands| commands.into_iter().next());
    let (program, arguments, _) = command.ok_or(zbus::Error::InvalidField)?;
    Ok((
        name,
        Timer {
            // What is argv[0] to the program is the file to the manager.
            command: std::iter::once(program)
                .chain(arguments.into_iter().skip(1))
                .collect(),
            environment: read(&properties, "Environment").unwrap_or_default(),
        },
    ))
}

fn read<T>(properties: &HashMap<String, OwnedVariant>, name: &str) -> Option<T>
where
    T: TryFrom<Variant<'static>>,
{
    let value: Variant<'static> = properties.get(name)?.try_clone().ok()?.into();
    T::try_from(value).ok()
}

/// A unit's object path: what is no letter and no digit is written as its code (sd_bus_path_encode(3)).
fn object(unit: &str) -> zbus::Result<OwnedObjectPath> {
    let escaped: String = unit
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("_{byte:02x}")
            }
        })
        .collect();
    format!("{ROOT}/unit/{escaped}").try_into()
}

fn properties(
    manager: &Manager,
    path: &str,
    interface: &str,
) -> HashMap<&'static str, Variant<'static>> {
    let is = |unit: &str| object(unit).is_ok_and(|object| object.as_str() == path);
    match interface.rsplit('.').next() {
        Some("Manager") => HashMap::from([
            ("Version", Variant::from("257.9-1~deb13u1".to_owned())),
            (
                "Environment",
                Variant::from(vec![format!("HOME={}", manager.places.home.display())]),
            ),
            (
                "UnitPath",
                Variant::from(vec![manager.places.units().display().to_string()]),
            ),
        ]),
        Some("Unit") if is(UNIT) => unit(manager),
        Some("Service") if is(UNIT) => service(manager),
        Some("Unit") => {
            let there = manager.timers.keys().any(|timer| is(timer));
            let (load, active) = if there {
                ("loaded", "active")
            } else {
                ("not-found", "inactive")
            };
            HashMap::from([
                ("LoadState", Variant::from(load.to_owned())),
                ("ActiveState", Variant::from(active.to_owned())),
                (
                    "SubState",
                    Variant::from(if there { "waiting" } else { "dead" }.to_owned()),
                ),
            ])
        }
        _ => HashMap::new(),
    }
}

fn unit(manager: &Manager) -> HashMap<&'static str, Variant<'static>> {
    let mut files = manager
        .files()
        .iter()
        .map(|(path, _)| path.display().to_string());
    let fragment = files.next().unwrap_or_default();
    let active = manager.active_state();
    let sub = match active {
        "active" => "running",
        "inactive" => "dead",
        other => other,
    };
    HashMap::from([
        ("LoadState", Variant::from("loaded".to_owned())),
        ("LoadError", Variant::from((String::new(), String::new()))),
        ("UnitFileState", Variant::from("enabled".to_owned())),
        ("ActiveState", Variant::from(active.to_owned())),
        ("SubState", Variant::from(sub.to_owned())),
        ("FragmentPath", Variant::from(fragment)),
        ("DropInPaths", Variant::from(files.collect::<Vec<_>>())),
        ("NeedDaemonReload", Variant::from(manager.needs_reload())),
        (
            "InvocationID",
            Variant::from(manager.starts.to_be_bytes().repeat(4)),
        ),
    ])
}

fn service(manager: &Manager) -> HashMap<&'static str, Variant<'static>> {
    let environment: Vec<String> = manager
        .environment()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let program = "/usr/bin/dockerd-rootless.sh".to_owned();
    let command = (
        program.clone(),
        vec![program],
        false,
        0_u64,
        0_u64,
        0_u64,
        0_u64,
        0_u32,
        0_i32,
        0_i32,
    );
    HashMap::from([
        (
            "Result",
            Variant::from(
                if manager.failed {
                    "exit-code"
                } else {
                    "success"
                }
                .to_owned(),
            ),
        ),
        ("Environment", Variant::from(environment)),
        (
            "EnvironmentFiles",
            Variant::from(Vec::<(String, bool)>::new()),
        ),
        ("ExecStart", Variant::from(vec![command])),
        (
            "MainPID",
            Variant::from(manager.dockerd.as_ref().map_or(0, |dockerd| dockerd.pid())),
        ),
        ("NRestarts", Variant::from(0_u32)),
        ("TimeoutStartUSec", Variant::from(u64::MAX)),
    ])
}
