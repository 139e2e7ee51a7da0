// Class names follow from the styles alone: the default takes the place of the file in.
export default {
  compilerOptions: { runes: true, cssHash: ({ hash, css }) => `i-${hash(css)}` },
};
