//! `host.json` and every `function.json` against the code that answers for them.

use std::path::Path;

use super::{Finding, shipped};
use crate::config::Config;
use crate::functions::{ALL, Face};
use crate::host::manifest::{Function, Manifest, Trigger, span};
use crate::host::router;

/// Looks at the files under the app root.
pub fn look(root: &Path, config: Option<&Config>) -> Vec<Finding> {
    let manifest = match Manifest::read(root) {
        Ok(manifest) => manifest,
        Err(e) => {
            let fix = "run this in the folder of host.json or set FUNCTIONS_APP_ROOT_PATH; put back the file that is named, as the app ships it";
            return vec![Finding::fault("files", "host.json or a function.json cannot be read as the app needs it", e.chain(), fix)];
        }
    };
    let mut wrong = functions(&manifest);
    wrong.extend(shipped::look(root, config));
    wrong.extend(host(&manifest, config));
    if wrong.is_empty() { vec![Finding::ok("files", format!("host.json and {} functions agree with the code", manifest.functions.len()))] } else { wrong }
}

fn functions(manifest: &Manifest) -> Vec<Finding> {
    let mut wrong = Vec::new();
    for function in ALL {
        let name = function.name;
        let fix = || format!("put back {name}/function.json as the app ships it");
        match manifest.function(name) {
            None => {
                wrong.push(Finding::fault("files", format!("{name}/function.json is missing"), "the host never calls a function without its folder", fix()))
            }
            Some(file) if file.name != name => {
                wrong.push(Finding::fault(
                    "files",
                    format!("the folder {} must be called {name}", file.name),
                    "the host calls the handler by the folder's name",
                    fix(),
                ));
            }
            Some(file) => wrong.extend(differs(&function.face, file).map(|how| {
                Finding::fault(
                    "files",
                    format!("{name}/function.json differs from the code: {how}"),
                    "requests and events will not reach the function as it expects them",
                    fix(),
                )
            })),
        }
    }
    let unknown = manifest.functions.iter().filter(|file| !ALL.iter().any(|f| f.name.eq_ignore_ascii_case(&file.name)));
    wrong.extend(unknown.map(|file| {
        let fix = format!("remove the folder {}, or deploy the version of the app that has it", file.name);
        Finding::fault("files", format!("the code has no function {}", file.name), "each of its invocations would be answered 404", fix)
    }));
    wrong
}

/// How a file differs from the code.
fn differs(face: &Face, file: &Function) -> Option<String> {
    match (face, &file.trigger) {
        (Face::Http { route, methods, .. }, Trigger::Http(..)) => {
            let mut there = file.methods();
            let mut here: Vec<String> = methods.iter().map(ToString::to_string).collect();
            there.sort();
            here.sort();
            if file.route() != Some(route) {
                Some(format!("route must be {route}"))
            } else if there != here {
                Some(format!("methods must be {}", here.join(", ")))
            } else if file.http_output.as_deref() != Some(router::HTTP_OUTPUT) {
                Some(format!("its output must be named {}", router::HTTP_OUTPUT))
            } else {
                None
            }
        }
        (Face::Http { .. }, _) => Some("it must have an httpTrigger".to_owned()),
        (Face::Trigger { .. }, Trigger::Http(..)) => Some("it must not have an httpTrigger".to_owned()),
        (Face::Trigger { .. }, Trigger::ServiceBus(trigger)) => {
            // Dead letters have no sessions.
            let live = !trigger.queue_name.to_ascii_lowercase().ends_with("$deadletterqueue");
            (trigger.is_sessions_enabled != live).then(|| format!("isSessionsEnabled must be {live}"))
        }
        (Face::Trigger { .. }, Trigger::EventGrid(_) | Trigger::Timer(_)) => None,
    }
}

fn host(manifest: &Manifest, config: Option<&Config>) -> Vec<Finding> {
    let mut wrong = Vec::new();
    let host = &manifest.host;
    let mut fault = |found: &str, cause: &str, fix: String| wrong.push(Finding::fault("files", found.to_owned(), cause.to_owned(), fix));
    let longest = ALL.iter().map(|f| f.deadline).max().unwrap_or_default();
    if host.function_timeout.as_deref().and_then(span).is_none_or(|timeout| timeout <= longest) {
        let fix = format!("set functionTimeout in host.json above {} s, as the app ships it: 00:05:00", longest.as_secs());
        fault(
            "functionTimeout is shorter than the longest function",
            "the host kills the handler, with all calls that it serves, when a function takes that long",
            fix,
        );
    }
    if !host.forwards_http() {
        let fix = "set customHandler.enableForwardingHttpRequest and enableProxyingHttpRequest to true in host.json".to_owned();
        fault("HTTP requests are not forwarded", "the handler takes requests as they are, not in envelopes", fix);
    }
    if host.extensions.http.route_prefix != router::PREFIX {
        let fix = format!("set extensions.http.routePrefix to {} in host.json", router::PREFIX);
        fault("the route prefix differs from the code", "every request would be answered 404", fix);
    }
    if host.extensions.service_bus.auto_complete_messages == Some(false) {
        let fix = "set extensions.serviceBus.autoCompleteMessages to true in host.json".to_owned();
        fault("messages are not completed by the host", "a custom handler cannot complete them: each would come again until it is a dead letter", fix);
    }
    let sessions = host.extensions.service_bus.max_concurrent_sessions.unwrap_or(8);
    if let Some(config) = config.filter(|c| (c.max_in_flight + c.max_waiting) / 2 <= sessions as usize) {
        let room = (config.max_in_flight + config.max_waiting) / 2;
        let fix = format!("set MAX_IN_FLIGHT and MAX_WAITING so that half of both together is above {sessions}, or lower maxConcurrentSessions");
        fault(
            &format!("maxConcurrentSessions {sessions} is above the room for triggers, {room}"),
            "a message that is refused has used up one of its deliveries",
            fix,
        );
    }
    wrong
}
