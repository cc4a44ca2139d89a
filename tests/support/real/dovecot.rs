//! `Dovecot`: IMAP and POP3 with a mailbox, STARTTLS and implicit TLS; and logins for Postfix.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::certificates::{self, Files, Pki};
use super::server::{Server, free_ports, is_root, program, skipped};
use super::talk::greets;
use super::{PASSWORD, USER};

/// Whose mailboxes are: nobody.
const OWNER: u32 = 65534;

/// Dovecot with the user `probe`, whose inbox holds three messages, two of them unseen.
pub(crate) struct Dovecot {
    server: Server,
    ports: [u16; 4],
}

impl Dovecot {
    /// Starts it with a good chain; none where it is not installed.
    pub(crate) fn start(pki: &Pki) -> Option<Self> {
        let path = found()?;
        let (server, ports) = Server::run(
            |folder| {
                let ports = free_ports();
                mailbox(folder);
                let files = certificates::write(folder, "server", &pki.good());
                let text = configuration(folder) + &mail(folder, &files, ports);
                (command(&path, folder, &text), ports)
            },
            |[imap, _, pop3, _]| greets(*imap, "* OK ") && greets(*pop3, "+OK "),
        );
        Some(Self { server, ports })
    }

    /// IMAP, with STARTTLS.
    pub(crate) fn imap_port(&self) -> u16 {
        self.ports[0]
    }

    /// IMAP inside TLS.
    pub(crate) fn imaps_port(&self) -> u16 {
        self.ports[1]
    }

    /// POP3, with STLS.
    pub(crate) fn pop3_port(&self) -> u16 {
        self.ports[2]
    }

    /// POP3 inside TLS.
    pub(crate) fn pop3s_port(&self) -> u16 {
        self.ports[3]
    }

    /// The process that runs, its folder and its words.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }
}

/// A Dovecot that only checks logins, on the socket that comes with it.
pub(super) fn logins(path: &Path) -> (Server, PathBuf) {
    Server::run(
        |folder| {
            let text = configuration(folder) + "protocols =\nssl = no\n";
            (command(path, folder, &text), folder.join("base/logins"))
        },
        |socket| std::os::unix::net::UnixStream::connect(socket).is_ok(),
    )
}

/// The program, when it is one whose configuration we know.
fn found() -> Option<PathBuf> {
    let path = program("dovecot-imapd", "dovecot")?;
    if !Path::new("/usr/lib/dovecot/imap-login").exists() {
        skipped("dovecot-imapd is not installed");
        return None;
    }
    if !Path::new("/usr/lib/dovecot/pop3-login").exists() {
        skipped("dovecot-pop3d is not installed");
        return None;
    }
    is_known(&path).then_some(path)
}

/// Whether it is of version 2.3; 2.4 is configured in other words.
pub(super) fn is_known(path: &Path) -> bool {
    let output = Command::new(path).arg("--version").output().expect("a program that is there");
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_known = version.starts_with("2.3.");
    if !is_known {
        skipped(&format!("dovecot is {}, and only 2.3 is known", version.trim()));
    }
    is_known
}

fn command(path: &Path, folder: &Path, text: &str) -> Command {
    for name in ["base", "state"] {
        fs::create_dir(folder.join(name)).expect("a folder of ours");
    }
    let file = folder.join("dovecot.conf");
    fs::write(&file, text).expect("a folder of ours");
    fs::write(folder.join("users"), format!("{USER}:{{PLAIN}}{PASSWORD}\n")).expect("a file");
    let mut command = Command::new(path);
    command.arg("-F").arg("-c").arg(file);
    command
}

/// What every Dovecot has. Logins that fail are told at once, and never held against others.
fn configuration(folder: &Path) -> String {
    let ours = rustix::process::geteuid().as_raw();
    let owner = if is_root() { OWNER } else { ours };
    let who = if is_root() { String::new() } else { unprivileged() };
    let folder = folder.display();
    format!(
        "base_dir = {folder}/base\nstate_dir = {folder}/state\nlog_path = {folder}/log\n\
         {who}listen = 127.0.0.1\nauth_mechanisms = plain login\nauth_failure_delay = 0\n\
         first_valid_uid = 1\n\
         passdb {{\n  driver = passwd-file\n  args = {folder}/users\n}}\n\
         userdb {{\n  driver = static\n  args = uid={owner} gid={owner} home={folder}/mail\n}}\n\
         service anvil {{\n  chroot =\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n\
         }}\n\
         service auth {{\n  unix_listener logins {{\n    mode = 0666\n  }}\n}}\n"
    )
}

/// What runs all of it as the user who tests.
fn unprivileged() -> String {
    let name = Command::new("id").arg("-un").output().expect("a program that is there");
    let group = Command::new("id").arg("-gn").output().expect("a program that is there");
    let [name, group] =
        [name, group].map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    format!(
        "default_internal_user = {name}default_login_user = {name}default_internal_group = {group}"
    )
}

fn mail(folder: &Path, files: &Files, ports: [u16; 4]) -> String {
    let (chain, key) = (files.chain.display(), files.key.display());
    let mut text = format!(
        "protocols = imap pop3\nmail_location = maildir:{}/mail/%u\n\
         ssl = yes\nssl_cert = <{chain}\nssl_key = <{key}\n",
        folder.display()
    );
    let names = [("imap", "imap"), ("imap", "imaps"), ("pop3", "pop3"), ("pop3", "pop3s")];
    for ((service, listener), port) in names.iter().zip(ports) {
        let _ = write!(
            text,
            "service {service}-login {{\n  chroot =\n  inet_listener {listener} {{\n    \
             port = {port}\n  }}\n}}\n"
        );
    }
    text
}

/// Three messages, of which the third has been seen.
fn mailbox(folder: &Path) {
    let inbox = folder.join("mail").join(USER);
    for name in ["new", "cur", "tmp"] {
        fs::create_dir_all(inbox.join(name)).expect("a folder of ours");
    }
    let names = ["new/1.first.mail", "new/2.second.mail", "cur/3.third.mail:2,S"];
    for (number, name) in (1..).zip(names) {
        let text = format!(
            "From: someone@elsewhere.test\nTo: probe@mail.test\nSubject: message {number}\n\
             Date: Thu, 1 Jan 2026 00:00:0{number} +0000\n\nThe text of message {number}.\n"
        );
        fs::write(inbox.join(name), text).expect("a folder of ours");
    }
    if is_root() {
        for path in below(&folder.join("mail")) {
            chown(path, Some(OWNER), Some(OWNER)).expect("root may");
        }
    }
}

/// A folder and all that is in it.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut paths = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { paths.extend(below(&path)) } else { paths.push(path) }
    }
    paths
}
