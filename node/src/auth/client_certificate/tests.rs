use form_urlencoded::byte_serialize;

use super::*;

/// A certificate that openssl made: O = "Fleet, CN=evil", CN = t1; alternative names DNS:t2, URI:spiffe://fleet/terminal/t3
/// and DNS:t2b; valid for a hundred years.
const BASE64_DER: &str = "MIIB1TCCAXugAwIBAgIUWIhkGnCS0Z+c4Qs8/p78yn714TgwCgYIKoZIzj0EAwIwJjEXMBUGA1UECgwORmxlZXQsIENOPWV2aWwx\
        CzAJBgNVBAMMAnQxMCAXDTI2MTEyNzIzNDUzMVoYDzIxMjYxMTAzMjM0NTMxWjAmMRcwFQYDVQQKDA5GbGVldCwgQ049ZXZpbDEL\
        MAkGA1UEAwwCdDEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQj16SiiTtemUmJgCUbBr4vovhkpCMWrmZwa/CX/ni4I+QboYAh\
        y0QXFvjEFd0KFrxSz4QgYmlMsMIUJ3sZ5PpDo4GEMIGBMB0GA1UdDgQWBBTuYllaS7RuNh1kTFO9Ej5EVM+7WjAfBgNVHSMEGDAW\
        gBTuYllaS7RuNh1kTFO9Ej5EVM+7WjAPBgNVHRMBAf8EBTADAQH/MC4GA1UdEQQnMCWCAnQyhhpzcGlmZmU6Ly9mbGVldC90ZXJt\
        aW5hbC90M4IDdDJiMAoGCCqGSM49BAMCA0gAMEUCIQDZ+0nVuCHB5Noyt5ugVVd4T/Vhqu4LiojVely6VdjvhwIgDpovW+FUaW4g\
        Up/3aW9wtMf4J90mmR77FKsTPzc+toA=";

fn escaped(der: &[u8]) -> String {
    let pem = format!("{BEGIN}\n{}\n{END}\n", BASE64.encode(der));
    // Nginx writes a blank as %20.
    byte_serialize(pem.as_bytes()).collect::<String>().replace('+', "%20")
}

fn der() -> Vec<u8> {
    BASE64.decode(BASE64_DER.as_bytes()).unwrap()
}

fn read(der: &[u8], source: IdSource) -> Result<ClientCertificate, CertificateError> {
    ClientCertificate::from_escaped_pem(&escaped(der), source)
}

#[test]
fn the_id_is_the_one_name_of_the_chosen_kind() {
    let by_name = read(&der(), IdSource::CommonName).unwrap();
    assert_eq!(by_name.terminal.as_str(), "t1", "not what the organisation is called");
    assert!(by_name.expires > 4_000_000_000);
    assert_eq!(read(&der(), IdSource::Uri).unwrap().terminal.as_str(), "t3");
    assert_eq!(read(&der(), IdSource::DnsName), Err(CertificateError::NotOneName(IdSource::DnsName)));
}

#[test]
fn a_name_that_is_no_id_and_an_expired_certificate_are_refused() {
    let mut other = der();
    // The issuer comes first, and is called the same.
    let names = (0..other.len()).filter(|place| other[*place..].starts_with(b"t1"));
    let name = names.collect::<Vec<_>>()[1];
    other[name + 1] = b' ';
    assert_eq!(read(&other, IdSource::CommonName), Err(CertificateError::NoId(IdSource::CommonName)));
    let mut old = der();
    // The second time is the end: a GeneralizedTime of the next century.
    let end = old.windows(2).position(|two| two == [tag::GENERALIZED_TIME, 15]).unwrap() + 2;
    old[end..end + 4].copy_from_slice(b"2001");
    assert_eq!(read(&old, IdSource::CommonName), Err(CertificateError::Expired));
}

#[test]
fn whatever_is_cut_off_or_changed_is_refused_or_read_and_never_panics() {
    let der = der();
    for length in 0..der.len() {
        for source in [IdSource::CommonName, IdSource::DnsName, IdSource::Uri] {
            assert!(read(&der[..length], source).is_err(), "{length}");
        }
    }
    for (place, byte) in (0..der.len()).flat_map(|place| [0x00, 0x80, 0x84, 0xff].map(|byte| (place, byte))) {
        let mut changed = der.clone();
        changed[place] = byte;
        let _ = read(&changed, IdSource::Uri);
        let _ = read(&changed, IdSource::CommonName);
    }
    assert_eq!(ClientCertificate::from_escaped_pem("%2D%2D", IdSource::CommonName), Err(CertificateError::Unreadable));
}

#[test]
fn two_digits_of_a_year_mean_1950_to_2049() {
    let year = |text: &[u8]| time((tag::UTC_TIME, text)).map(|time| time.strftime("%Y").to_string());
    assert_eq!(year(b"491231235959Z").as_deref(), Some("2049"));
    assert_eq!(year(b"500101000000Z").as_deref(), Some("1950"));
    assert_eq!(year(b"500101000000"), None);
}
