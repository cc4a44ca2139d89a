//! The certificates are what their kinds say, judged by rustls and read by x509-parser.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, Error};
use rustls::{RootCertStore, StreamOwned};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::{connect, start};
use crate::fleet::{Certificate, Fleet, address::address};

type Stream = StreamOwned<ClientConnection, std::net::TcpStream>;

/// A connection to target 0, not spoken on yet, that trusts the fleet's root alone.
fn stream(fleet: &Fleet, kind: Certificate, alpn: &[u8]) -> Stream {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(fleet.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from("t0.fleet.test").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(client, connect(address(0), fleet.https_port(kind)))
}

/// What rustls says of a handshake.
fn verdict(fleet: &Fleet, kind: Certificate) -> Error {
    let mut stream = stream(fleet, kind, b"http/1.1");
    let error = stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap_err();
    error.into_inner().unwrap().downcast_ref::<Error>().unwrap().clone()
}

#[test]
fn a_good_port_answers_like_a_plain_one() {
    let fleet = start();
    for (path, status) in [("/d5/s404/b30000", "404"), ("/keep", "200"), ("/gz", "200")] {
        let mut stream = stream(&fleet, Certificate::Good, b"http/1.1");
        let request = format!("GET {path} HTTP/1.1\r\nHost: t0.fleet.test\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, format!("HTTP/1.1 {status}").as_bytes());
        assert_eq!(stream.conn.peer_certificates().unwrap().len(), 2);
    }
}

#[test]
fn the_good_certificate_names_names_and_addresses() {
    let fleet = start();
    let mut stream = stream(&fleet, Certificate::Good, b"http/1.1");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let leaf = stream.conn.peer_certificates().unwrap()[0].clone();
    let (_, leaf) = parse_x509_certificate(&leaf).unwrap();
    let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert!(names.contains(&GeneralName::DNSName("*.fleet.test")), "{names:?}");
    assert_eq!(names.len(), 12, "{names:?}");
}

#[test]
fn bad_certificates_are_bad_in_their_own_way() {
    use CertificateError as Bad;
    let fleet = start();
    assert!(matches!(
        verdict(&fleet, Certificate::Expired),
        Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. })
    ));
    assert!(matches!(
        verdict(&fleet, Certificate::NotYetValid),
        Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. })
    ));
    assert!(matches!(
        verdict(&fleet, Certificate::WrongName),
        Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. })
    ));
    for kind in
        [Certificate::SelfSigned, Certificate::MissingIntermediate, Certificate::UnknownIssuer]
    {
        let verdict = verdict(&fleet, kind);
        assert_eq!(verdict, Error::InvalidCertificate(Bad::UnknownIssuer), "{kind:?}");
    }
}

#[test]
fn an_alert_and_plain_text_refuse_the_handshake() {
    let fleet = start();
    let alert = verdict(&fleet, Certificate::Alert);
    assert!(matches!(alert, Error::AlertReceived(AlertDescription::AccessDenied)), "{alert:?}");
    let garbage = verdict(&fleet, Certificate::Garbage);
    assert!(matches!(garbage, Error::InvalidMessage(_)), "{garbage:?}");
}

#[test]
fn http2_is_spoken_where_it_is_offered() {
    let fleet = start();
    for (kind, agreed) in [(Certificate::Http2, b"h2".as_slice()), (Certificate::Good, b"http/1.1")]
    {
        let mut stream = stream(&fleet, kind, agreed);
        let request = match agreed {
            b"h2" => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice(),
            _ => b"GET / HTTP/1.1\r\n\r\n",
        };
        stream.write_all(request).unwrap();
        stream.flush().unwrap();
        let mut frame = [0; 9];
        stream.read_exact(&mut frame).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(agreed));
        assert_eq!(frame[3] == 4, agreed == b"h2", "the first frame of HTTP/2 is its settings");
    }
}

#[test]
fn no_ticket_is_given_that_could_be_resumed() {
    let fleet = start();
    let mut stream = stream(&fleet, Certificate::Good, b"http/1.1");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 9]).unwrap();
    assert_eq!(stream.conn.handshake_kind(), Some(rustls::HandshakeKind::Full));
    assert_eq!(stream.conn.tls13_tickets_received(), 0);
}
