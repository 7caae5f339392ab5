// Text that grew keeps what the reader selected in it: a morph would replace it whole, and only what differs is replaced here.
Idiomorph.defaults.callbacks.beforeNodeMorphed = (old, fresh) => {
  const before = old.data, after = fresh.data;
  if (old.nodeType !== Node.TEXT_NODE || fresh.nodeType !== Node.TEXT_NODE || before === after) return true;
  let same = 0;
  while (same < before.length && before[same] === after[same]) same++;
  old.replaceData(same, before.length - same, after.slice(same));
  return false;
};
