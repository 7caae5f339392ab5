// [data-dialog=id] opens that <dialog>; a press on its backdrop closes it. Without scripts the button stays hidden.
for (const button of document.querySelectorAll("[data-dialog]")) button.hidden = false;

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) document.getElementById(opener.dataset.dialog).showModal();
  else if (event.target.matches("dialog:modal")) event.target.close(); // the content covers all but the backdrop
});
