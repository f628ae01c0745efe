import{D as e,E as t,M as n,P as r,U as i,_ as a,ft as o,g as s,mt as c,ot as l,z as u}from"./session-booking.js";var d={duration:`Duration`,anyCoach:`Any coach`,payment:`Payment`,credit:(e,t)=>`${e}: ${t}`,bundle:`Bundle`,byCredits:{one:`Paid with a session of your bundle`,other:`Paid with {n} sessions of your bundle`},lateCredit:`A late cancellation uses up the session of your bundle.`,noPayment:`This course has nothing on sale for this duration.`,credits:{one:`{n} session left`,other:`{n} sessions left`}},f={duration:`Dauer`,anyCoach:`Alle Coaches`,payment:`Bezahlung`,credit:(e,t)=>`${e}: ${t}`,bundle:`Paket`,byCredits:{one:`Mit einer Sitzung Ihres Pakets bezahlt`,other:`Mit {n} Sitzungen Ihres Pakets bezahlt`},lateCredit:`Bei später Stornierung ist die Sitzung Ihres Pakets verbraucht.`,noPayment:`Für diese Dauer gibt es in diesem Kurs kein Angebot.`,credits:{one:`noch {n} Sitzung`,other:`noch {n} Sitzungen`}};function p(e){return i(`course`,{en:d,de:f},e)}async function m(e,t,n){let r={open:!0,signal:n},{mentorId:i}=t,o=t.courseId??``,[{course:c,products:l},u,d]=await Promise.all([e.get(`/courses/${o}/support-options`,{},r),s(e,`/mentors`,{courseId:o},r),s(e,`/listings`,{courseId:o},r)]),f=u.map(e=>a(e,d)).filter(({mentor:e})=>!i||e.id===i);return{course:c,products:l.filter(e=>e.active),offers:f}}function h(e){let t=e.flatMap(e=>e.listings.map(e=>e.durationMinutes));return[...new Set(t)].sort((e,t)=>e-t)}async function g({client:e,store:t},n,r){let i=(await s(e,`/bundles`,{},{signal:r}).catch(()=>[])).filter(({courseId:e,status:n})=>e===t.state.course?.id&&n===`active`);t.update({bundles:i});let a=_(t.state),o=n??l(t.state.payment);t.update({payment:a.find(e=>l(e)===o)??a[0]??null})}function _(e){let t=t=>t===null||t===e.durationMinutes,n=e.bundles.filter(n=>{let r=e.products.find(e=>e.id===n.productId);return!r||t(r.durationMinutes)}),r=e.products.filter(e=>e.kind===`single`&&t(e.durationMinutes));return[...n.map(e=>({kind:`bundle`,bundle:e})),...r.map(e=>({kind:`product`,product:e}))]}function v({course:e,payment:t}){let n=t?.kind===`bundle`?{bundlePurchaseId:t.bundle.id}:{productId:t?.product.id};return{courseId:e?.id,...n}}function y(e,n){return t(e,n,p(e).byCredits)}function b(t){let{words:n,state:r,flow:i}=t,a=p(t),s=h(r.offers);return c`<div class="columns" ?hidden=${r.slot!==null}>
    ${s.length>1?c`<label class="field"
          ><span>${a.duration}</span>
          <select data-value=${r.durationMinutes} @change=${e=>i.chooseDuration(Number(u(e)))}>
            ${s.map(n=>c`<option value=${n}>
                  ${e(t,n)}
                </option>`)}
          </select></label
        >`:o}
    ${r.offers.length>1?c`<label class="field"
          ><span>${n.card.coach}</span>
          <select data-value=${r.mentorId??``} @change=${e=>i.chooseMentor(u(e)||null)}>
            <option value="">${a.anyCoach}</option>
            ${r.offers.map(({mentor:e})=>c`<option value=${e.id}>${e.name}</option>`)}
          </select></label
        >`:o}
  </div>`}function x(e){return c`${S(e)} ${C(e)}`}function S({words:e,state:t,flow:n}){let r=t.offers.filter(({mentor:e})=>t.slot?.mentorProfileIds.includes(e.id));return r.length<2?o:c`<label class="field"
    ><span>${e.card.coach}</span>
    <select data-value=${t.slotMentorId} @change=${e=>n.chooseSlotMentor(u(e))}>
      ${r.map(({mentor:e})=>c`<option value=${e.id}>${e.name}</option>`)}
    </select></label
  >`}function C(e){let{state:t,flow:r}=e,i=p(e),a=_(t);return a.length?a.length===1?o:c`<fieldset class="offers">
    <legend>${i.payment}</legend>
    ${a.map(n=>c`<label class="offer"
        ><input
          type="radio"
          name="payment"
          .checked=${l(n)===l(t.payment)}
          @change=${()=>r.choosePayment(n)}
        />
        ${w(e,n)}</label
      >`)}
  </fieldset>`:n(`warning`,i.noPayment)}function w(e,n){let{state:i}=e,a=p(e);if(n.kind===`product`)return c`<span><b>${n.product.title}</b></span><b class="price">${r(e,n.product.price)}</b>`;let{productId:o,remainingSessions:s}=n.bundle,l=i.products.find(e=>e.id===o)?.title??a.bundle;return c`<span>${a.credit(l,t(e,s,a.credits))}</span>`}export{p as courseWords,y as creditsText,h as durationsOf,m as loadCourse,v as paymentOf,g as proposePayment,b as renderChoice,x as renderFields};