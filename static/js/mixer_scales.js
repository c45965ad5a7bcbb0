/** The scales of the mixer's faders: level, pan and speed, and how they are written. */
import { HIGHEST_DB, levelAt, LOWEST_DB, placeOf } from "./mixer_levels.js";

const minus = (text) => text.replace("-", "−");

const decibels = (value) => `${value > 0 ? "+" : ""}${minus(value.toFixed(1))}`;
const side = (value) => {
  const share = Math.round(Math.abs(value) * 100);
  if (!share) return "C";
  return `${value < 0 ? "L" : "R"} ${share}`;
};
const spokenSide = (value) => {
  const share = Math.round(Math.abs(value) * 100);
  return share ? `${share} % ${value < 0 ? "left" : "right"}` : "centre";
};

export const LEVEL = {
  place: placeOf,
  value: levelAt,
  text: (value) => `${decibels(value)} dB`,
  rest: 0,
  snap: 0.3,
  step: 0.5,
  bigStep: 3,
  low: LOWEST_DB,
  high: HIGHEST_DB,
};

export const PAN = {
  place: (value) => (value + 1) / 2,
  value: (place) => Math.round((2 * place - 1) * 100) / 100 + 0,
  text: side,
  spoken: spokenSide,
  rest: 0,
  snap: 0.04,
  step: 0.05,
  bigStep: 0.25,
  low: -1,
  high: 1,
};

export const SLOWEST = 0.5;
export const FASTEST = 1.5;

export const SPEED = {
  place: (value) => (value - SLOWEST) / (FASTEST - SLOWEST),
  value: (place) => Math.round((SLOWEST + place * (FASTEST - SLOWEST)) * 100) / 100,
  text: (value) => `${value.toFixed(2)}×`,
  spoken: (value) => `${value.toFixed(2)} times`,
  rest: 1,
  snap: 0.02,
  step: 0.05,
  bigStep: 0.25,
  low: SLOWEST,
  high: FASTEST,
};
