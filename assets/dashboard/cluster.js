// Who works in the distributed mode, where the figures are of one.

import { put } from "./dom.js";
import { count, plural, span, took } from "./format.js";
import { panel, table } from "./table.js";

/** Members that are listed. */
const SHOWN = 12;
/** Roles in the order of the way of a poll. */
const ROLES = ["scheduler", "checker", "recorder"];

/** The panel; it stays away until there is something for it. */
export function clusterPanel() {
  const box = panel("Cluster", { id: "cluster" });
  box.root.hidden = true;
  const list = table("Members of the cluster", [
    { title: "State", kind: "mark", mark: (item) => (item.state === "alive" ? "up" : "down") },
    { title: "Member", kind: "grow", text: (item) => item.name, hint: (item) => `${item.name} on ${item.host}, version ${item.version}` },
    { title: "Role", kind: "cause", text: (item) => (item.location ? `${item.role} · ${item.location}` : item.role) },
    { title: "Load", kind: "figure", text: load, hint: (item) => (item.role === "checker" ? "polls in flight" : "shards") },
    { title: "Seen", kind: "figure", text: (item) => span(item.seen_seconds), tone: (item) => (item.state === "alive" ? null : "down"), hint: () => "how long ago" },
  ]);
  box.body.append(list.root);
  return {
    root: box.root,
    show(cluster) {
      box.root.hidden = !cluster;
      if (!cluster) return;
      const members = [...(cluster.members ?? [])].sort(worstFirst);
      list.show(members.slice(0, SHOWN));
      box.say(members.length ? "" : "No member was heard of lately.");
      const more = members.length > SHOWN ? `${SHOWN} of ${plural(members.length, "member")}, ` : "";
      const behind = cluster.outcomes_behind ? `, ${plural(cluster.outcomes_behind, "outcome")} behind` : "";
      put(box.note, `${more}${plural(cluster.shards, "shard")}, recorded ${took(cluster.delay?.p99)} after due (p99)${behind}`);
    },
  };
}

function load(item) {
  if (item.role !== "checker") return count(item.shards);
  return count(item.figures?.in_flight ?? 0);
}

function worstFirst(one, other) {
  const rank = (member) => (member.state === "alive" ? 1 : 0);
  return rank(one) - rank(other) || ROLES.indexOf(one.role) - ROLES.indexOf(other.role) || one.name.localeCompare(other.name);
}
