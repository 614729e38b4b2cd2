//! Each call that the document of the API lists, as a node answers it.

use muster_protocol::token::Scope;
use muster_testkit::{
    TestNode,
    http::{get, request},
    token::{SECRET, key},
};
use serde_json::{Value, json};

/// A call of the document.
struct DocumentedCall {
    method: String,
    /// With `x` in the place of an id.
    path: String,
    /// The scope that it needs.
    scope: Option<String>,
    parameters: Vec<DocumentedParameter>,
}

/// A parameter of a call.
struct DocumentedParameter {
    name: String,
    /// Whether it takes any text.
    is_text: bool,
}

impl DocumentedCall {
    fn is_api(&self) -> bool {
        self.path.starts_with("/v1/")
    }

    fn has_id(&self) -> bool {
        self.path.split('/').nth(3) == Some("x")
    }

    /// Makes the call with this query: its status, head and body.
    async fn ask(&self, node: &TestNode, query: &str, headers: &str) -> (u16, String, String) {
        let Self { method, path, .. } = self;
        request(node.address, &format!("{method} {path}{query} HTTP/1.1\r\n{headers}")).await
    }
}

async fn documented(node: &TestNode) -> Vec<DocumentedCall> {
    let (status, document) = get(node.address, "/v1/openapi.json").await;
    assert_eq!((status, &document["openapi"]), (200, &Value::from("3.1.0")));
    let calls = document["paths"].as_object().unwrap().iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, call)| documented_call(method, path, call))
    });
    let calls: Vec<_> = calls.collect();
    assert!(calls.len() > 40, "{} calls", calls.len());
    calls
}

fn documented_call(method: &str, path: &str, call: &Value) -> DocumentedCall {
    let in_query = call["parameters"].as_array().unwrap().iter().filter(|parameter| parameter["in"] == "query");
    let with_x = |segment: &str| if segment.starts_with('{') { "x".to_owned() } else { segment.to_owned() };
    DocumentedCall {
        method: method.to_ascii_uppercase(),
        path: path.split('/').map(with_x).collect::<Vec<_>>().join("/"),
        scope: call["security"][0]["key"][0].as_str().map(str::to_owned),
        parameters: in_query.map(documented_parameter).collect(),
    }
}

fn documented_parameter(parameter: &Value) -> DocumentedParameter {
    DocumentedParameter {
        name: parameter["name"].as_str().unwrap().to_owned(),
        is_text: parameter["schema"] == json!({ "type": "string" }),
    }
}

fn bearer(scope: Scope) -> String {
    format!("Authorization: Bearer {}\r\n", key(scope))
}

#[tokio::test]
async fn each_call_needs_the_scope_that_the_document_says() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    for call in documented(&node).await {
        let DocumentedCall { method, path, scope, .. } = &call;
        let Some(scope) = scope else { continue };
        assert_eq!(call.ask(&node, "", "").await.0, 401, "{method} {path}");
        let smaller = match scope.as_str() {
            "read" => continue,
            "command" => Scope::Read,
            _ => Scope::Command,
        };
        assert_eq!(call.ask(&node, "", &bearer(smaller)).await.0, 403, "{method} {path}");
    }
    node.stop().await;
}

#[tokio::test]
async fn each_call_takes_the_parameters_that_the_document_says_and_no_other() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let admin = bearer(Scope::Admin);
    for call in documented(&node).await.iter().filter(|call| call.is_api()) {
        let DocumentedCall { method, path, .. } = call;
        let (status, _, body) = call.ask(&node, "?unknown=1", &admin).await;
        assert!(status == 400 && body.contains("no parameter"), "{method} {path}: {status} {body}");
        for DocumentedParameter { name, is_text } in &call.parameters {
            // A stream that is refused ends.
            let stream = if path == "/v1/events" { "detail=1&" } else { "" };
            let (status, _, body) = call.ask(&node, &format!("?{stream}{name}=%22"), &admin).await;
            assert!(status < 500 && !body.contains("no parameter"), "{method} {path} {name}: {status} {body}");
            // A parameter that the row has and the handler does not read would be taken with any value.
            let is_refused = status == 400 && body.contains(&format!("{name}: "));
            assert!(*is_text || call.has_id() || is_refused, "{method} {path} {name}: {status} {body}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn each_path_takes_the_methods_that_the_document_says_and_no_other() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let calls = documented(&node).await;
    for DocumentedCall { path, .. } in &calls {
        let (status, head, _) = request(node.address, &format!("PATCH {path} HTTP/1.1\r\n")).await;
        let allow = head.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap_or_default();
        let mut allowed: Vec<_> = allow.split(", ").filter(|method| !["HEAD", "OPTIONS"].contains(method)).collect();
        let mut methods: Vec<_> =
            calls.iter().filter(|call| call.path == *path).map(|call| call.method.as_str()).collect();
        allowed.sort_unstable();
        methods.sort_unstable();
        assert_eq!((status, allowed), (405, methods), "{path}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_as_the_document_says_of_each_call() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let (_, document) = get(node.address, "/v1/openapi.json").await;
    let of_call = document["paths"]["/v1/terminals"]["get"]["responses"]["431"]["$ref"].as_str().unwrap();
    let refusal = document.pointer(of_call.strip_prefix('#').unwrap()).unwrap();
    assert!(refusal["description"].is_string() && refusal["content"].is_null(), "{refusal}");
    let query = "x".repeat(20_000);
    let (status, _, body) = request(node.address, &format!("GET /v1/terminals?match={query} HTTP/1.1\r\n")).await;
    assert_eq!((status, body.as_str()), (431, ""));
    node.stop().await;
}

#[tokio::test]
async fn the_document_is_sent_once_to_a_client_that_keeps_it() {
    let node = TestNode::start(&["--secret", SECRET]).await;
    let ask = async |headers: &str| request(node.address, &format!("GET /v1/openapi.json HTTP/1.1\r\n{headers}")).await;
    let (status, head, body) = ask("").await;
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag");
    assert!(status == 200 && body.len() > 10_000 && head.contains("content-type: application/json"), "{head}");
    let (status, _, body) = ask(&format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((status, body.as_str()), (304, ""));
    node.stop().await;
}
