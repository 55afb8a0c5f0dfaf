// A button that prints, for who does not know the browser's own way.
document.addEventListener("click", (e) => { if (e.target.id === "print") window.print(); });
