//! Files and stores that an import refuses.

use std::fs;

use muster_node::store::{StoreFlags, export};
use muster_protocol::api::Protocol::V1;
use muster_testkit::{TestNode, http::get};

use crate::backup::{BackupTest, flags, import_from};

/// A store of three terminals and two commands that was exported, and an empty Redis.
async fn exported() -> BackupTest {
    let test = BackupTest::start().await;
    let node = test.node("3").await;
    for id in ["t1", "t2", "t3"] {
        node.was_here(id, V1).await;
    }
    for target in [r#"{"all":true}"#, r#"{"terminal":"t2"}"#] {
        assert_eq!(node.command(target, "1").await.0, 202);
    }
    node.stop().await;
    test.export().await;
    test.redis.flush().await;
    test
}

impl BackupTest {
    /// Why the import of this text is refused. Nothing may be stored by it.
    async fn refusal_of(&self, text: &[u8]) -> String {
        fs::write(self.file(), text).unwrap();
        let refusal = self.try_import(5).await.unwrap_err();
        assert_eq!(self.keys().await, Vec::<String>::new(), "{refusal}");
        refusal
    }

    /// All keys, but for those that only show that a master takes writes.
    async fn keys(&self) -> Vec<String> {
        let keys: Vec<String> = self.redis.ask(&["KEYS", "*"]).await.unwrap();
        keys.into_iter().filter(|key| !key.ends_with(":check")).collect()
    }
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_refused_before_anything_is_stored() {
    let test = exported().await;
    let whole = fs::read(test.file()).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let text = String::from_utf8(whole.clone()).unwrap();
    for (file, expected) in [
        (whole[..last].to_vec(), "the file was cut off"),
        (whole[..whole.len() - 1].to_vec(), "the file was cut off"),
        (whole[..last - 5].to_vec(), "the file was cut off"),
        (Vec::new(), "the file was cut off"),
        (text.replacen("\"t1", "\"t7", 1).into_bytes(), "the checksum differs"),
        (text.replacen("\"keys\":0", "\"keys\":1", 1).into_bytes(), "the checksum differs"),
        ([&whole[..], b"{}\n"].concat(), "there is something behind the last line"),
        (text.replacen("\"format\":1", "\"format\":2", 1).into_bytes(), "the file has format 2"),
        (text.replacen("{\"terminal\"", "{\"thing\"", 1).into_bytes(), "line 2 can't be read"),
        ([b"{\"header\":\"".to_vec(), vec![b'x'; 17 << 20]].concat(), "line 1 is longer than 16777216 bytes"),
        (b"hello\n".to_vec(), "this is no file that `muster-node store export` wrote"),
    ] {
        let refusal = test.refusal_of(&file).await;
        assert!(refusal.contains(expected) && refusal.contains("nothing was imported"), "{expected}: {refusal}");
    }
    fs::write(test.file(), &whole).unwrap();
    assert_eq!(test.try_import(5).await.unwrap().terminals, 3);
}

#[tokio::test]
async fn a_file_of_another_cluster_or_secret_is_refused() {
    let test = exported().await;
    let text = fs::read_to_string(test.file()).unwrap();
    let refusal = test.refusal_of(text.replacen("\"cluster\":\"muster\"", "\"cluster\":\"other\"", 1).as_bytes()).await;
    assert!(refusal.contains("the file is of the cluster other, and --cluster is muster"), "{refusal}");
    fs::write(test.file(), &text).unwrap();
    let secret = test.file().with_extension("secret");
    fs::write(&secret, format!("k1={}\n", "s".repeat(32))).unwrap();
    let flags = StoreFlags { insecure: false, cluster_secret_file: Some(secret), ..flags(&test.redis.url) };
    let error = muster_node::store::import(flags.clone(), None, test.file()).await.unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("was not sealed with this secret") && !error.contains("sss"), "{error}");
    let none = StoreFlags { cluster_secret_file: None, ..flags };
    let error = format!("{:#}", muster_node::store::import(none, None, test.file()).await.unwrap_err());
    assert!(error.contains("give --cluster-secret-file"), "{error}");
    assert_eq!(test.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_store_that_is_not_empty_or_has_a_live_node_is_refused_and_left_as_it_is() {
    let test = exported().await;
    let node = test.node("5").await;
    let refusal = test.try_import(5).await.unwrap_err();
    assert!(refusal.contains("nodes live on this store: ") && refusal.contains("stop all nodes"), "{refusal}");
    node.was_here("t9", V1).await;
    node.stop().await;
    for partitions in [5, 3] {
        let refusal = test.try_import(partitions).await.unwrap_err();
        assert!(refusal.contains("is not empty"), "{refusal}");
    }
    let node = test.node("5").await;
    let listed = get(node.address, "/v1/terminals").await.1;
    assert_eq!(listed["terminals"].as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test]
async fn an_import_that_was_ended_keeps_nodes_away_and_is_done_by_the_same_file_alone() {
    let test = exported().await;
    let whole = fs::read(test.file()).unwrap();
    // Redis refuses to store more, as soon as the store was begun.
    let () = test.redis.ask(&["ACL", "SETUSER", "default", "-zadd"]).await.unwrap();
    let error = test.try_import(5).await.unwrap_err();
    assert!(
        error.contains("the import is not complete") && error.contains("begin it again with the same file"),
        "{error}"
    );
    let () = test.redis.ask(&["ACL", "SETUSER", "default", "+zadd"]).await.unwrap();
    let error = TestNode::start_error(&["--insecure", "--redis", &test.redis.url, "--partitions", "5"]).await;
    assert!(error.contains("run muster-node store import again with the same file"), "{error}");
    let error = test.try_import(4).await.unwrap_err();
    assert!(error.contains("an import of another file, or to another number of partitions"), "{error}");
    fs::write(test.file(), &whole).unwrap();
    test.try_import(5).await.unwrap();
    let node = test.node("5").await;
    let listed = get(node.address, "/v1/commands").await.1;
    assert_eq!(listed["commands"].as_array().unwrap().len(), 2, "{listed}");
}

#[tokio::test]
async fn an_import_that_is_done_twice_stores_the_same() {
    let test = exported().await;
    let () = test.redis.ask(&["ACL", "SETUSER", "default", "-hdel"]).await.unwrap();
    let mut dumps = Vec::new();
    for _ in 0..2 {
        // All but the last step is done.
        test.try_import(5).await.unwrap_err();
        let mut keys = test.keys().await;
        keys.sort_unstable();
        let mut dump = Vec::new();
        // When terminals left is told from the time of the import.
        for key in keys.iter().filter(|key| !key.ends_with(":store") && !key.ends_with(":left")) {
            let value: Vec<u8> = test.redis.ask(&["DUMP", key]).await.unwrap();
            dump.push((key.clone(), value));
        }
        dumps.push(dump);
    }
    assert!(dumps[0].len() > 20 && dumps[0] == dumps[1], "{dumps:?}");
}

#[tokio::test]
async fn an_export_writes_over_no_file_and_leaves_none_that_is_not_whole() {
    let test = exported().await;
    let error = format!("{:#}", export(flags(&test.redis.url), Some(test.file())).await.unwrap_err());
    assert!(error.contains("there is no store of the cluster muster"), "{error}");
    test.try_import(2).await.unwrap();
    let error = format!("{:#}", export(flags(&test.redis.url), Some(test.file())).await.unwrap_err());
    assert!(error.contains("--out ") && error.contains("the file exists"), "{error}");
    let () = test.redis.ask(&["ACL", "SETUSER", "default", "-zscore"]).await.unwrap();
    let other = test.file().with_extension("other");
    let error = format!("{:#}", export(flags(&test.redis.url), Some(other.clone())).await.unwrap_err());
    assert!(error.contains("the export is not complete") && !other.exists(), "{error}");
    assert!(import_from(&test.redis.url, 2, &other).await.unwrap_err().contains("No such file"));
}
