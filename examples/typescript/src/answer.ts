import ms from "ms";

export interface Answer {
  language: string;
  path: string;
  up: string;
}

export function answer(path: string, seconds: number): Answer {
  return { language: "TypeScript", path, up: ms(Math.round(seconds) * 1000, { long: true }) };
}
