// What the pack uses of ComfyUI's frontend, which is served beside it and is not there when types are checked.

declare module "*/scripts/app.js" {
  export const app: any;
}

declare module "*/scripts/api.js" {
  export const api: EventTarget & {
    apiURL(path: string): string;
    fetchApi(path: string, options?: RequestInit): Promise<Response>;
    queuePrompt?(...values: any[]): Promise<any>;
  };
}

declare var LiteGraph: any;
