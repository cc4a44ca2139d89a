//! `Nginx`: pages over HTTP, and over HTTPS with certificates good and bad, one port for each.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, date_time_ymd};

use super::certificates::{self, Pki, server};
use super::server::{Server, free_ports, is_root, program};
use super::talk::connect;
use crate::pki::{Shown, self_signed, shown};

/// What `/` answers with.
pub(crate) const PAGE: &str = "A page of a real server that tests know.\n";

/// Locations of every port. `/slow` begins after two seconds, `/trickle` takes as long to end.
const LOCATIONS: &str = r#"
location = / { try_files /page.txt =404; }
location = /redirect { return 302 /; }
location = /moved { return 301 /redirect; }
location = /loop { return 302 /loop; }
location = /error { return 500 "an error\n"; }
location = /unavailable { add_header Retry-After 120 always; return 503; }
location = /trickle { limit_rate 100; try_files /page.txt =404; }
location = /slow {
    auth_basic slow;
    auth_basic_user_file users;
    auth_delay 2s;
    error_page 401 =200 /page.txt;
}
"#;

/// What a port of it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// A chain that leads to the root; this port speaks HTTP/2, too.
    Good,
    /// A certificate that ended on 1 January 2021.
    Expired,
    /// A certificate that begins on 1 January 2100.
    NotYetValid,
    /// A certificate for other.test alone.
    WrongName,
    /// A certificate that nobody vouches for.
    SelfSigned,
    /// A good certificate, without the authority that signed it.
    NoIntermediate,
}

impl Shows {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Good,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongName,
        Self::SelfSigned,
        Self::NoIntermediate,
    ];

    fn certificate(self, pki: &Pki) -> Shown {
        let (signer, mut params) = (&pki.intermediate, server("nginx"));
        match self {
            Self::Good => return shown(&params, signer, &[signer]),
            Self::SelfSigned => return self_signed(&params),
            Self::NoIntermediate => return shown(&params, signer, &[]),
            Self::Expired => {
                params.not_before = date_time_ymd(2020, 1, 1);
                params.not_after = date_time_ymd(2021, 1, 1);
            }
            Self::NotYetValid => {
                params.not_before = date_time_ymd(2100, 1, 1);
                params.not_after = date_time_ymd(2101, 1, 1);
            }
            Self::WrongName => {
                params = CertificateParams::new(vec!["other.test".to_owned()]).expect("a name");
            }
        }
        shown(&params, signer, &[signer])
    }
}

/// nginx with a port for plain HTTP and one for each of `Shows`.
pub(crate) struct Nginx {
    server: Server,
    ports: [u16; 7],
}

impl Nginx {
    /// Starts it; none where it is not installed.
    pub(crate) fn start(pki: &Pki) -> Option<Self> {
        let path = program("nginx-light", "nginx")?;
        let (server, ports) = Server::run(
            |folder| {
                let ports = free_ports();
                configure(folder, pki, &ports);
                let mut command = Command::new(&path);
                command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "log"]);
                (command, ports)
            },
            |ports| serves_page(ports[6]),
        );
        Some(Self { server, ports })
    }

    /// Plain HTTP.
    pub(crate) fn http_port(&self) -> u16 {
        self.ports[6]
    }

    /// HTTPS with this certificate.
    pub(crate) fn https_port(&self, shows: Shows) -> u16 {
        self.ports[shows as usize]
    }

    /// The requests it answered so far, one a line; it writes them when they are over.
    pub(crate) fn requests(&self) -> String {
        fs::read_to_string(self.server.folder().join("requests")).unwrap_or_default()
    }

    /// The process that runs, its folder and its words.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }
}

fn serves_page(port: u16) -> bool {
    use std::io::{Read as _, Write as _};
    let ask = |mut stream: std::net::TcpStream| {
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    };
    connect(port).and_then(ask).is_ok_and(|text| text.ends_with(PAGE))
}

fn configure(folder: &Path, pki: &Pki, ports: &[u16; 7]) {
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
    let mut servers = format!("server {{ listen 127.0.0.1:{}; include locations; }}\n", ports[6]);
    for (shows, port) in Shows::ALL.into_iter().zip(ports) {
        let name = format!("{shows:?}");
        certificates::write(folder, &name, &shows.certificate(pki));
        let more = if shows == Shows::Good { " http2" } else { "" };
        let _ = writeln!(
            servers,
            "server {{ listen 127.0.0.1:{port} ssl{more}; ssl_certificate {name}.pem; \
             ssl_certificate_key {name}.key; include locations; }}"
        );
    }
    let user = if is_root() { "user root;\n" } else { "" };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path temporary;\n"))
        .concat();
    fs::create_dir(folder.join("root")).expect("a folder of ours");
    write("root/page.txt", PAGE);
    write("users", "");
    write("locations", LOCATIONS);
    let conf = format!(
        "daemon off;\n{user}worker_processes 1;\npid pid;\nerror_log log;\n\
         events {{ worker_connections 512; }}\n\
         http {{\naccess_log requests;\ndefault_type text/plain;\nroot root;\n{temporary}{servers}}}\n"
    );
    write("nginx.conf", &conf);
}
