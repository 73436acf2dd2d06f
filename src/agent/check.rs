//! What the schema cannot say of agent.yaml: keys that make sense only beside others.

use super::{Agent, Pull};
use crate::diagnostic::{Code, Diagnostic, DocPath};

/// Who never meets the network.
const ROOT: &str = "root";

/// What is wrong with a file whose form is right.
pub(super) fn check(agent: &Agent) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if let Some(pull) = &agent.pull {
        check_pull(pull, agent, &mut found);
    }
    found
}

fn check_pull(pull: &Pull, agent: &Agent, found: &mut Vec<Diagnostic>) {
    let Pull {
        remote: _,
        interval: _,
        user,
        max_size: _,
    } = pull;
    let place = DocPath::root().key("pull");
    let Some(repository) = &agent.repository else {
        let message = "`pull` without `repository`: there is nothing to fetch into";
        found.push(
            Diagnostic::error(Code::MissingKey, message)
                .at_key(place, "")
                .help("say which one: `repository: { path: /srv/rfw/policy.git, owner: git }`"),
        );
        return;
    };
    let owner = repository.owner.as_ref();
    let owner_is_nobody = owner.is_none_or(|owner| owner.as_str() == ROOT);
    match user {
        Some(user) if user.as_str() == ROOT => {
            let message = "`user` of `pull` cannot be `root`";
            found.push(
                Diagnostic::error(Code::UnknownValue, message)
                    .at(place.key("user"), "meets the network")
                    .help("another user, who can write to the repository"),
            );
        }
        None if owner_is_nobody => {
            let message = "`pull` does not say who fetches: root does not";
            found.push(
                Diagnostic::error(Code::MissingKey, message)
                    .at_key(place, "has no `user`")
                    .help("say `user`, or the `owner` of the `repository`"),
            );
        }
        Some(_) | None => {}
    }
}
