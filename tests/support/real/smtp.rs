//! `Smtp`: Postfix that takes mail for `mail.test` and gives none away; logins by Dovecot.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::certificates::{self, Pki};
use super::server::{Server, account, free_ports, is_root, open, program, skipped, wait_for};
use super::talk::greets;
use super::{USER, dovecot};

/// Services of Postfix that are needed, as in master.cf; each line ends with its program.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

/// Folders of a queue that are Postfix's own.
const QUEUE: &[&str] = &[
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop",
    "private", "public", "saved", "trace",
];

/// Postfix with STARTTLS, and with AUTH inside TLS where Dovecot is installed.
pub(crate) struct Smtp {
    server: Server,
    ports: [u16; 2],
    logins: Option<Server>,
}

impl Smtp {
    /// Starts it with a good chain; none where it is not installed, or may not be started.
    pub(crate) fn start(pki: &Pki) -> Option<Self> {
        let master = program("postfix", "master")?;
        if !is_root() {
            skipped("only root can start postfix");
            return None;
        }
        let owner = account("postfix").expect("the package makes the user postfix");
        let logins = program("dovecot-imapd", "dovecot")
            .filter(|path| dovecot::is_known(path))
            .map(|path| dovecot::logins(&path));
        let (logins, socket) = logins.unzip();
        let (server, ports) = Server::run(
            |folder| {
                let ports = free_ports();
                folders(folder, owner);
                configure(folder, pki, ports, socket.as_deref());
                let mut command = Command::new(&master);
                command.arg("-d").arg("-c").arg(folder.join("conf"));
                (command, ports)
            },
            |[port, _]| greets(*port, "220 mail.test"),
        );
        Some(Self { server, ports, logins })
    }

    /// SMTP, with STARTTLS.
    pub(crate) fn port(&self) -> u16 {
        self.ports[0]
    }

    /// SMTP inside TLS.
    pub(crate) fn smtps_port(&self) -> u16 {
        self.ports[1]
    }

    /// Whether it offers AUTH inside TLS.
    pub(crate) fn has_logins(&self) -> bool {
        self.logins.is_some()
    }

    /// The messages that were delivered to `probe@mail.test` so far.
    pub(crate) fn received(&self) -> Vec<String> {
        let folder = self.server.folder().join("mail").join(USER).join("new");
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut files: Vec<PathBuf> =
            entries.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        files.iter().map(|file| fs::read_to_string(file).expect("a message")).collect()
    }

    /// Waits until `count` messages were delivered, and gives them.
    pub(crate) fn await_received(&self, count: usize) -> Vec<String> {
        wait_for("mail to be delivered", || {
            Some(self.received()).filter(|messages| messages.len() >= count)
        })
    }

    /// The process that runs, its folder and its words.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }
}

fn folders(folder: &Path, (user, group): (u32, u32)) {
    for name in ["conf", "queue", "queue/pid", "data", "mail"] {
        fs::create_dir(folder.join(name)).expect("a folder of ours");
    }
    chown(folder.join("data"), Some(user), Some(group)).expect("root may");
    for name in QUEUE {
        let path = folder.join("queue").join(name);
        fs::create_dir(&path).expect("a folder of ours");
        chown(&path, Some(user), Some(group)).expect("root may");
        open(&path, 0o700);
    }
    open(&folder.join("mail"), 0o777);
}

/// Writes both files of the configuration: nothing that it takes leaves the machine.
fn configure(folder: &Path, pki: &Pki, [port, smtps]: [u16; 2], logins: Option<&Path>) {
    let files = certificates::write(folder, "server", &pki.good());
    let (at, chain, key) = (folder.display(), files.chain.display(), files.key.display());
    let logins = logins.map_or_else(String::new, |socket| {
        let socket = socket.display();
        format!(
            "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {socket}\n"
        )
    });
    let main = format!(
        "compatibility_level = 3.6\nqueue_directory = {at}/queue\ndata_directory = {at}/data\n\
         command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n\
         mail_owner = postfix\nsetgid_group = postdrop\n\
         maillog_file = {at}/log\nmaillog_file_prefixes = {at}\n\
         myhostname = mail.test\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
         mydestination =\nmynetworks = 192.0.2.1/32\nalias_maps =\nlocal_recipient_maps =\n\
         virtual_mailbox_domains = mail.test\nvirtual_mailbox_base = {at}/mail\n\
         virtual_mailbox_maps = inline:{{probe@mail.test={USER}/}}\nvirtual_minimum_uid = 1\n\
         virtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n\
         default_transport = error:mail does not leave this machine\n\
         smtp_dns_support_level = disabled\nsmtpd_peername_lookup = no\n\
         smtpd_client_connection_count_limit = 0\nsmtpd_error_sleep_time = 0\nsmtpd_tls_auth_only = yes\n\
         smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination\n\
         smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {chain}\n\
         smtpd_tls_key_file = {key}\n{logins}"
    );
    let services = format!(
        "127.0.0.1:{port} inet n - n - - smtpd\n\
         127.0.0.1:{smtps} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n{SERVICES}"
    );
    fs::write(folder.join("conf/main.cf"), main).expect("a folder of ours");
    fs::write(folder.join("conf/master.cf"), services).expect("a folder of ours");
}
