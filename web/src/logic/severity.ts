// Severity words on one scale of five, so that each has a colour beside its word. Words that are configured and not known
// here are shown as they are, without a colour.
const kLevels: Record<string, number> = {
  trace: 0, debug: 0, minor: 0, none: 0, micro: 0,
  info: 1, light: 1, low: 1, notice: 1,
  moderate: 2, warning: 2, warn: 2, medium: 2,
  strong: 3, error: 3, high: 3, severe: 3,
  major: 4, great: 4, critical: 4, fatal: 4, emergency: 4, alert: 4,
};

export function severityLevel(word: string): number | null {
  return kLevels[word.toLowerCase()] ?? null;
}

// Gravest first; those without a level after the others, by name.
export function bySeverity(a: string, b: string): number {
  const difference = (severityLevel(b) ?? -1) - (severityLevel(a) ?? -1);
  return difference !== 0 ? difference : a.localeCompare(b);
}
