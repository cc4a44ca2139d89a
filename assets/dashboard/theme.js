// Sets the theme before anything is drawn: what was chosen here, else what the system has.
(function () {
  "use strict";
  var root = document.documentElement;
  try {
    var chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch (_) {
    // A browser that keeps nothing follows the system.
  }
})();
