//! The files that a connection names, and what is wrong with them where there can be no client.

use std::path::Path;

use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;

use super::Connection;
use super::topics::TopicsError;
use super::trouble::Heard;

/// What a file has to hold.
#[derive(Clone, Copy, Debug)]
enum Content {
    Certificate,
    Key,
}

impl Content {
    /// How the line of a PEM file ends with which it begins (RFC 7468, section 2).
    const fn label(self) -> &'static str {
        match self {
            Self::Certificate => "CERTIFICATE-----",
            Self::Key => "PRIVATE KEY-----",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Key => "private key",
        }
    }
}

impl Connection {
    /// Looks whether there can be a client by what this says; asks no broker.
    ///
    /// # Errors
    /// There can be none: each flag that is at fault, with its file and what is wrong with it.
    pub fn can_be_used(&self) -> Result<(), TopicsError> {
        let client: Result<BaseProducer<Heard>, _> =
            self.config().create_with_context(Heard::default());
        client.map(drop).map_err(|error| self.blamed(&error))
    }

    /// `error`, for which there is no client, blamed on the files that are at fault.
    pub(super) fn blamed(&self, error: &KafkaError) -> TopicsError {
        let files = self.files();
        let wrong = files.iter().filter_map(|(flag, _, path, content)| {
            let reason = mistake(path, *content)?;
            Some(format!("{flag} names {}, {reason}", path.display()))
        });
        let wrong: Vec<String> = wrong.collect();
        if !wrong.is_empty() {
            return TopicsError::Files(wrong.join("; "));
        }
        let said = error.to_string();
        // They look like what they are to be: the library says which one it cannot use, and why.
        let blamed = files.iter().find_map(|(flag, setting, path, content)| {
            let (_, why) = said.split_once(&format!("{setting} failed: "))?;
            Some((flag, path.display(), content.name(), why))
        });
        match blamed {
            Some((flag, path, _, why)) if why.contains("key values mismatch") => {
                TopicsError::Files(format!("{flag} names {path}, which is not of --kafka-cert"))
            }
            Some((flag, path, name, why)) => TopicsError::Files(format!(
                "{flag} names {path}, which holds no {name} that can be used: {why}"
            )),
            None => TopicsError::Settings(said),
        }
    }

    /// The files that are named: by which flag, as which setting of the library, where and for what.
    fn files(&self) -> Vec<(&'static str, &'static str, &Path, Content)> {
        let ca = self
            .ca
            .iter()
            .map(|path| ("--kafka-ca", "ssl.ca.location", path.as_path(), Content::Certificate));
        let identity = self.identity.iter().flat_map(|(certificate, key)| {
            [
                (
                    "--kafka-cert",
                    "ssl.certificate.location",
                    certificate.as_path(),
                    Content::Certificate,
                ),
                ("--kafka-key", "ssl.key.location", key.as_path(), Content::Key),
            ]
        });
        ca.chain(identity).collect()
    }
}

/// What is wrong with the file at `path`, which is to hold `content`; none where it looks well.
fn mistake(path: &Path, content: Content) -> Option<String> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Some(format!("which cannot be read: {error}")),
    };
    let (text, label, name) = (String::from_utf8_lossy(&bytes), content.label(), content.name());
    if text.trim().is_empty() {
        return Some("which is empty".to_owned());
    }
    let begins = |line: &&str| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(label);
    let Some(begin) = text.lines().find(begins) else {
        return Some(format!("which holds no {name} in PEM form (-----BEGIN {label})"));
    };
    let is_locked = begin.contains("ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED");
    is_locked.then(|| format!("whose {name} has a password; name a file with one that has none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED \
                          PRIVATE KEY-----\n";

    fn told(ca: &Path, identity: (&Path, &Path)) -> String {
        let connection = Connection {
            brokers: vec!["127.0.0.1:9092".to_owned()],
            ca: Some(ca.to_owned()),
            identity: Some((identity.0.to_owned(), identity.1.to_owned())),
            sasl: None,
            prefix: "poller".to_owned(),
            client: "test".to_owned(),
        };
        let error = connection.can_be_used().expect_err("no client");
        assert!(matches!(error, TopicsError::Files(_)), "{error:?}");
        error.to_string()
    }

    #[test]
    fn each_file_that_cannot_be_used_is_named_with_its_flag_and_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("written");
            path
        };
        let pair = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate");
        let (cert, key) = (
            file("cert", pair.cert.pem().as_bytes()),
            file("key", pair.signing_key.serialize_pem().as_bytes()),
        );
        let (none, empty) = (folder.path().join("none"), file("empty", b" \n"));
        let (der, locked) = (file("der", pair.cert.der()), file("locked", LOCKED.as_bytes()));
        let other = rcgen::generate_simple_self_signed(["b".to_owned()]).expect("a certificate");
        let other = file("other", other.signing_key.serialize_pem().as_bytes());
        let broken =
            file("broken", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        for (ca, identity, wanted) in [
            (&none, (&cert, &key), "--kafka-ca names F/none, which cannot be read: No such file"),
            (&empty, (&cert, &key), "--kafka-ca names F/empty, which is empty"),
            (&der, (&cert, &key), "--kafka-ca names F/der, which holds no certificate in PEM form"),
            (&key, (&cert, &key), "--kafka-ca names F/key, which holds no certificate in PEM form"),
            (&broken, (&cert, &key), "--kafka-ca names F/broken, which holds no certificate that"),
            (&cert, (&none, &key), "--kafka-cert names F/none, which cannot be read: No such file"),
            (
                &cert,
                (&broken, &key),
                "--kafka-cert names F/broken, which holds no certificate that",
            ),
            (&cert, (&cert, &cert), "--kafka-key names F/cert, which holds no private key in PEM"),
            (&cert, (&cert, &other), "--kafka-key names F/other, which is not of --kafka-cert"),
            (
                &cert,
                (&cert, &locked),
                "--kafka-key names F/locked, whose private key has a password",
            ),
            (
                &none,
                (&cert, &empty),
                "cannot be read: No such file or directory (os error 2); --kafka-key names F/empty, which is empty",
            ),
        ] {
            let told = told(ca, (identity.0, identity.1));
            let wanted = wanted.replace('F', &folder.path().display().to_string());
            assert!(told.contains(&wanted), "{told}\n{wanted}");
        }
    }
}
