// Addresses and commands, each with a button that copies it.

/** Shows `text` in the element with this id, unless it is there: what somebody has selected stays selected. */
export function command(id, text) {
  const code = document.getElementById(id);
  if (code.textContent !== text) code.textContent = text;
}

/** Gives each box its button. */
export function addCopyButtons() {
  for (const box of document.querySelectorAll('.command')) {
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Copy' });
    const code = box.querySelector('code');
    button.setAttribute('aria-label', `Copy: ${box.querySelector('.label').textContent}`);
    button.addEventListener('click', async () => {
      try {
        // Browsers offer this on https and localhost only.
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = 'Copied';
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = 'Selected';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    });
    box.append(button);
  }
}
