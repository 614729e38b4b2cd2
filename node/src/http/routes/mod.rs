//! The routes: each call that a node answers, with the scope that it needs, the parameters that it takes, what it answers, and what
//! answers it. Dispatch, the check of the scope, of the key's limits and of the parameters, the audit, `Allow`, and the
//! [document](super::openapi) come from this table.
//!
//! A call that is not listed here does not exist. The WebSocket alone has a path of its own (`--ws-path`).

mod commands;
pub mod content;
mod enrolments;
pub mod id;
mod live;
mod nodes;
mod notices;
mod open;
mod operators;
pub mod parameter;
mod rollouts;
mod row;
mod selectors;
mod terminals;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hyper::{Request, Response, body::Incoming};
use muster_protocol::token::Scope;

use self::{
    content::{AnswerContent, SchemaOf},
    id::{PathId, id_in},
    parameter::Parameter,
    row::{delete, get, post, put},
};
use super::{
    HttpState, Requester,
    answer::{Answer, Body},
    call::ApiCall,
    request::{self, bad},
};

/// A call that a node answers.
#[derive(Clone, Copy)]
pub struct Route {
    /// The method. GET is also for HEAD.
    pub method: &'static str,
    /// The path. `{id}` or another word in braces stands for any segment, and `*` at the end for all segments that follow.
    pub path: &'static str,
    /// What the call does.
    pub about: &'static str,
    /// The scope that a key needs. Without one no key is needed.
    pub scope: Option<Scope>,
    /// Whether the call keeps to the terminals that its key reaches. Any other call with a scope is about the whole fleet, and is refused to a
    /// key that is limited by labels.
    pub keeps_to_reach: bool,
    /// Whether the audit leaves the call out, though its method is not GET: it changes nothing that stays.
    pub is_unrecorded: bool,
    /// What the segment in braces is.
    pub id: Option<PathId>,
    /// The parameters of the query. With another one the call is refused.
    pub query: &'static [Parameter],
    /// The headers that mean something for this call, and not for every one.
    pub headers: &'static [Parameter],
    /// The body. Without one the call reads none.
    pub body: Option<SchemaOf>,
    /// What is answered if nothing is wrong, by status.
    pub answers: &'static [(u16, AnswerContent)],
    /// The statuses of refusals that do not follow from the rest.
    pub refusals: &'static [u16],
    /// What answers the call.
    pub handle: Handler,
}

/// Answers a call that is admitted.
pub type Handler = for<'a> fn(Asked<'a>) -> BoxFuture<'a, Answer>;

/// A call that is admitted.
pub struct Asked<'a> {
    /// The request.
    pub request: Request<Incoming>,
    /// The segments of its path.
    pub segments: &'a [&'a str],
    /// Its query; empty without one.
    pub query: &'a str,
    /// Who makes it.
    pub call: &'a ApiCall<'a>,
    /// The connection that it came on.
    pub requester: &'a Requester,
    /// What the handlers need.
    pub state: &'a Arc<HttpState>,
}

impl<'a> Asked<'a> {
    /// The id in the path.
    pub fn id(&self) -> &'a str {
        id_in(self.segments)
    }
}

impl Route {
    /// Whether the call is one of the API, and not a page or a probe.
    pub fn is_api(&self) -> bool {
        self.path.starts_with("/v1/")
    }

    /// Whether the call may change something.
    pub fn is_change(&self) -> bool {
        self.method != "GET"
    }

    /// Whether the call leaves a record in the audit: an operator changes something by it. What terminals ask for themselves needs no scope.
    pub fn is_audited(&self) -> bool {
        self.is_change() && self.scope.is_some() && !self.is_unrecorded
    }

    /// Whether this is the path of the call.
    fn has(&self, segments: &[&str]) -> bool {
        let mut asked = segments.iter();
        for wanted in self.path.split('/').skip(1) {
            match asked.next() {
                _ if wanted == "*" => return true,
                Some(_) if wanted.starts_with('{') => {}
                Some(segment) if *segment == wanted => {}
                _ => return false,
            }
        }
        asked.next().is_none()
    }

    /// Checks that the call takes each parameter of a query. A probe may have any.
    ///
    /// # Errors
    /// 400 names the first one that it does not take.
    pub fn check_query(&self, query: &str) -> Result<(), Response<Body>> {
        let takes = |name: &str| !self.is_api() || self.query.iter().any(|parameter| parameter.name == name);
        let Some((unknown, _)) = request::pairs(query).find(|(name, _)| !takes(name)) else { return Ok(()) };
        let names: Vec<_> = self.query.iter().map(|parameter| parameter.name).collect();
        let known = if names.is_empty() { "none".into() } else { names.join(", ") };
        Err(bad(format!("this path has no parameter {unknown:?}; it takes {known}")))
    }
}

/// All routes, by what they are about.
const GROUPS: [&[Route]; 10] = [
    open::ROUTES,
    commands::ROUTES,
    rollouts::ROUTES,
    selectors::ROUTES,
    terminals::ROUTES,
    nodes::ROUTES,
    live::ROUTES,
    notices::ROUTES,
    operators::ROUTES,
    enrolments::ROUTES,
];

/// All routes.
pub fn all() -> impl Iterator<Item = &'static Route> {
    GROUPS.into_iter().flatten()
}

/// The routes of a path, one for each method that it takes. None if there is no such path.
pub fn of_path(segments: &[&str]) -> Vec<&'static Route> {
    all().filter(|route| route.has(segments)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn methods(path: &str) -> Vec<&'static str> {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        of_path(&segments).iter().map(|route| route.method).collect()
    }

    #[test]
    fn a_path_has_the_methods_that_are_listed() {
        assert_eq!(methods("/v1/commands"), ["POST", "GET"]);
        assert_eq!(methods("/v1/terminals/t1/session"), ["DELETE"]);
        assert_eq!(
            (methods("/"), methods("/console"), methods("/console/a/b")),
            (vec!["GET"], vec!["GET"], vec!["GET"])
        );
        for path in
            ["", "/v1", "/v1/", "/v1/commands/", "/v1/nodes/n1", "/v1/commands/1/targets/2", "/livez/x", "/consoles"]
        {
            let listed = methods(path);
            assert!(listed.is_empty() || path == "/v1/commands/", "{path}: {listed:?}");
        }
    }

    #[test]
    fn each_call_is_listed_once_and_says_what_its_id_is() {
        let mut seen = BTreeSet::new();
        for route in all() {
            let Route { method, path, about, .. } = route;
            assert!(seen.insert((method, path)), "{method} {path} is there twice");
            assert!(!about.is_empty() && !route.answers.is_empty(), "{method} {path}");
            let id = path.split('/').position(|segment| segment.starts_with('{'));
            assert_eq!(id, route.id.map(|_| 3), "{method} {path}");
        }
    }

    #[test]
    fn what_an_operator_changes_is_audited() {
        let is_left_out = |route: &&Route| route.is_change() && !route.is_audited();
        let left_out: Vec<_> = all().filter(is_left_out).map(|route| route.path).collect();
        assert_eq!(left_out, ["/v1/ticket", "/v1/enrol", "/v1/renew"]);
    }

    #[test]
    fn a_parameter_that_is_not_listed_is_refused_by_its_name() {
        let route = *of_path(&["v1", "commands"])[1];
        assert!(route.check_query("").is_ok() && route.check_query("limit=1&state=open&limit=x").is_ok());
        assert_eq!(route.check_query("limit=1&page=2").unwrap_err().status(), 400);
        assert!(of_path(&["livez"])[0].check_query("now=1").is_ok(), "a probe may have any");
    }
}
