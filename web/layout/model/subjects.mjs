/**
 * The subjects that an encoder's sockets bring, the k-th for the k-th box. A socket may be linked and still bring
 *   nothing to a run: its subject is muted or bypassed. It keeps its box.
 * @typedef {"acting" | "muted" | "bypassed" | "empty" | "no_photo"} Part `empty`: nothing is linked;
 *   `no_photo`: nothing gives it a picture, so a run would be refused
 * @typedef {"stretch" | "pad" | "crop"} Fit how the encoder makes a square of the photo
 * @typedef {{id: string, phrase: string, weight: number, picture: string | null, fit: Fit, part: Part,
 *   shape?: import("./masks.mjs").Shape | null, unsaid?: boolean}} Subject `shape`: where its cut-out says what is
 *   inside; `unsaid`: the prompt it is sampled with is known and has not its phrase
 */

/** What a socket brings that nothing is linked to. @type {Subject} */
export const NOBODY = Object.freeze({ id: "", phrase: "", weight: 1, picture: null, fit: "stretch", part: "empty" });

/** Whether a run counts on the subject, and so on its box. @param {Subject} subject */
export const counts = ({ part }) => part === "acting" || part === "no_photo";

/** Whether a subject stands there that a run leaves out. @param {Subject | undefined} subject */
export const isSilent = (subject) => subject?.part === "muted" || subject?.part === "bypassed";

/** Whether a run would act on a subject of which the prompt says nothing. @param {Subject | undefined} subject */
export const isUnsaid = (subject) => subject?.part === "acting" && subject.unsaid === true;

/** How many boxes a run needs: up to that of the last subject which acts. @param {readonly Subject[]} subjects */
export const boxesNeeded = (subjects) => subjects.findLastIndex(counts) + 1;

/**
 * Whether the k-th box has nobody who might take it.
 * @param {readonly Subject[] | null} subjects
 * @param {number} k
 */
export const isSpare = (subjects, k) => subjects !== null && (subjects[k]?.part ?? "empty") === "empty";

/**
 * Some of the subjects with the numbers of their boxes: "1 cat, 3 mug".
 * @param {readonly Subject[]} subjects @param {(subject: Subject) => boolean} which
 */
export const placesOf = (subjects, which) =>
  subjects.flatMap((subject, k) => (which(subject) ? [`${k + 1} ${subject.phrase}`.trim()] : [])).join(", ");
