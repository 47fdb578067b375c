// @ts-check
// Quizzes. The page holds all reasons, folded away for browsers without scripts; this takes them out of it and shows the
// one that belongs to the reader's answer. Nothing is stored.
(() => {
  /** @typedef {{ right: boolean, number: number, within: number, answer: HTMLElement, why: HTMLElement }} Reason */

  /** The numbers that a text can mean: 1,5 is 1.5, and 1,024 may also be 1024. None where it is no number.
   * @param {string} text
   * @param {string} unit */
  function numbers(text, unit) {
    let plain = text.trim().replace(/[−–]/g, "-").toLowerCase();
    if (unit && plain.endsWith(unit.toLowerCase())) plain = plain.slice(0, -unit.length);
    plain = plain.replace(/[\s'’_]/g, "");
    const found = [];
    if (/^[-+]?\d*[.,]?\d*(e[-+]?\d+)?$/.test(plain) && /^[-+]?[.,]?\d/.test(plain)) found.push(plain.replace(",", "."));
    // Thousands: groups of three digits, then perhaps the other sign and decimals.
    if (/^[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$/.test(plain)) found.push(plain.replaceAll(",", ""));
    if (/^[-+]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?$/.test(plain)) found.push(plain.replaceAll(".", "").replace(",", "."));
    return found.map(Number).filter(Number.isFinite);
  }

  /** @param {HTMLElement} item @returns {Reason} */
  function reason(item) {
    const { right, number, within } = item.dataset;
    const [answer, why] = /** @type {HTMLElement[]} */ ([...item.children]);
    return { right: right === "yes", number: Number(number ?? NaN), within: Number(within ?? NaN), answer, why };
  }

  /** @param {HTMLFormElement} quiz */
  function start(quiz) {
    const says = /** @type {HTMLElement} */ (quiz.querySelector(".says"));
    const button = /** @type {HTMLButtonElement} */ (quiz.querySelector("button"));
    const field = /** @type {HTMLInputElement | null} */ (quiz.querySelector(".number input"));
    const radios = /** @type {HTMLInputElement[]} */ ([...quiz.querySelectorAll("input[type=radio]")]);
    const folded = /** @type {HTMLElement} */ (quiz.querySelector(":scope > details"));
    const items = /** @type {NodeListOf<HTMLElement>} */ (folded.querySelectorAll(":scope > ul > li"));
    const reasons = [...items].map(reason);
    const right = /** @type {Reason} */ (reasons.find((one) => one.right));
    const unit = quiz.querySelector(".number span")?.textContent?.trim() ?? "";
    let misses = 0;
    folded.remove();
    button.hidden = button.disabled = false;

    /** @param {boolean | null} verdict
     * @param {...(Node | string)} content */
    function say(verdict, ...content) {
      says.dataset.right = verdict === null ? "" : verdict ? "yes" : "no";
      says.replaceChildren(...content);
    }

    /** @param {string} text
     * @param {HTMLElement} where */
    function refuse(text, where) {
      say(null, text);
      field?.setAttribute("aria-invalid", "true");
      where.focus();
    }

    function checkChoice() {
      const chosen = radios.findIndex((radio) => radio.checked);
      if (chosen < 0) return refuse("Choose an answer first.", radios[0]);
      const label = /** @type {HTMLElement} */ (radios[chosen].parentElement);
      if (!label.querySelector(".mark-of")) {
        const text = reasons[chosen].right ? "✓ yes" : "✗ no";
        label.append(Object.assign(document.createElement("span"), { className: "mark-of", textContent: text }));
      }
      say(reasons[chosen].right, reasons[chosen].why);
    }

    /** @param {HTMLInputElement} field */
    function checkNumber(field) {
      const given = numbers(field.value, unit);
      if (!field.value.trim()) return refuse("Write a number first.", field);
      if (!given.length) return refuse(`“${field.value.trim()}” is not a number. Write it like 12, 0.5, -3 or 1e-6.`, field);
      /** @param {Reason} one */
      const meant = (one) => {
        const within = Number.isNaN(one.within) ? right.within : one.within;
        // what floating point adds to a distance is not the reader's fault
        return given.some((number) => Math.abs(number - one.number) <= within + 1e-9 * Math.abs(one.number));
      };
      const otherwise = /** @type {Reason} */ (reasons.find((one) => Number.isNaN(one.number)));
      const found = meant(right) ? right : (reasons.find(meant) ?? otherwise);
      misses += found.right ? 0 : 1;
      say(found.right, found.why);
      if (misses < 2 || found.right) return;
      const show = Object.assign(document.createElement("button"), { type: "button", textContent: "Show the answer" });
      show.addEventListener("click", () => {
        say(true, right.answer, right.why);
        field.focus();
      });
      says.append(show);
    }

    quiz.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field) checkNumber(field);
      else checkChoice();
    });
    // Another answer: what was said of the one before no longer holds.
    quiz.addEventListener("input", () => {
      field?.removeAttribute("aria-invalid");
      if (says.hasChildNodes()) say(null);
    });
  }

  for (const quiz of document.querySelectorAll("form.quiz")) start(/** @type {HTMLFormElement} */ (quiz));
})();
